"""`strongticket demo`: the main job, end to end, on the shipped digits."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from strongticket.cli import show
from strongticket.cli._search import Search


@dataclass(frozen=True)
class Demo:
    """Train a small target, find it in a random network, prove it, search a mask, check."""

    out: Path = Path("runs/demo")
    """Folder for the target, the tickets and the certificate."""
    epsilon: float = 0.01
    """Accuracy over the whole input box [0, 1]^64."""
    delta: float = 0.01
    """Failure probability of the random network."""
    hidden: int = 32
    """Hidden width of the target."""
    seed: int = 0
    """Seed of everything."""
    json: bool = False
    """Print one JSON document."""

    def run(self) -> int:
        """Do it all; 1 where the certificate or a check fails."""
        from strongticket.check import check_all, matching
        from strongticket.datasets import digits
        from strongticket.files import folder
        from strongticket.proving import prove
        from strongticket.targets import Box, Target
        from strongticket.theorems import pensia2020
        from strongticket.training import accuracy, train_relu

        folder(self.out)
        start, data = time.perf_counter(), digits()
        with show.progress(quiet=self.json) as progress:
            model = train_relu(
                data,
                (self.hidden,),
                epochs=60,
                seed=self.seed,
                biases=True,
                rate=5e-3,
                progress=progress,
            )
            target = Target(model, domain=Box(0.0, 1.0))
            ticket, _, proof = prove(
                pensia2020.EXPLICIT,
                target,
                epsilon=self.epsilon,
                delta=self.delta,
                seed=self.seed,
                folder=self.out,
                name="digits",
                progress=progress,
            )
            target.save(self.out / "target.safetensors")
            found = Search(epochs=15, seed=self.seed).find(data, progress)
            mask_file = found.ticket.save(self.out / "mask.safetensors")
            reports = check_all(matching("pensia2020"), quick=True, progress=progress)
        accuracies = accuracy(model, data), accuracy(ticket.compact(), data)
        seconds = time.perf_counter() - start
        ok = proof.holds and proof.rechecked and all(report.ok for report in reports)
        if self.json:
            show.as_json(
                {
                    "proof": proof.to_json(),
                    "target_accuracy": accuracies[0],
                    "ticket_accuracy": accuracies[1],
                    "search": {
                        "accuracy": found.accuracy,
                        "random_accuracy": found.random_accuracy,
                        "density": found.ticket.mask.density,
                        "ticket": mask_file,
                    },
                    "checks": {report.theorem.key: report.verdict for report in reports},
                    "ok": ok,
                    "seconds": seconds,
                }
            )
            return 0 if ok else 1
        size = mask_file.stat().st_size
        extra = {
            "mask by edge-popup, test accuracy": f"{found.accuracy:.2%} at density "
            f"{found.ticket.mask.density:.2f} (random mask {found.random_accuracy:.2%})",
            "mask ticket file": f"{mask_file}, {size:,} bytes",
            **{f"check {r.theorem.key}": r.verdict for r in reports},
            "seconds, everything": f"{seconds:.1f}",
        }
        show.proof_table(proof, *accuracies, extra)
        show.line(f"written to {self.out}: the target, two tickets and the certificate")
        show.line(f"try: strongticket recheck {proof.certificate_file}")
        return 0 if ok else 1
