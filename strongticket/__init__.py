"""Strong lottery tickets that run."""
