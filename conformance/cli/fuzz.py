"""The verb `fuzz`: random policies on a target."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from conformance.cli.app import (
    Context,
    DespitePolicies,
    Image,
    Kubeconfig,
    NamespaceAnnotation,
    NamespaceLabel,
    Target,
    app,
    err,
    out,
)

_EXIT_FOUND = 1
_EXIT_UNJUDGED = 70


@app.command()
def fuzz(
    target: Target = "netns",
    context: Context = "",
    kubeconfig: Kubeconfig = "",
    image: Image = "",
    despite_policies: DespitePolicies = False,
    namespace_label: NamespaceLabel = None,
    namespace_annotation: NamespaceAnnotation = None,
    seconds: Annotated[float, typer.Option(help="how long it goes on; what was begun is ended")] = 60.0,
    count: Annotated[int, typer.Option(help="how many samples at most; 0 is as many as there is time for")] = 0,
    seed: Annotated[int, typer.Option(help="what samples are drawn from; a new one by default")] = 0,
    start: Annotated[int, typer.Option(help="the number of the first sample, to go on where another call ended")] = 1,
    workers: Annotated[
        int,
        typer.Option(
            "-n",
            help="how many samples are tried side by side, each in an arena of its own; 0 is what the target bears",
        ),
    ] = 0,
    most: Annotated[int, typer.Option(help="how many findings are enough")] = 1,
    output: Annotated[Path, typer.Option(help="the folder for case files that show what was found")] = Path("fuzz"),
) -> None:
    """Try random policies on a target, and write a small case file for each disagreement with the evaluator."""
    from conformance import targets  # noqa: PLC0415 -- verbs import what they need
    from conformance.lab.fuzz.run import fuzz as samples  # noqa: PLC0415 -- as above
    from conformance.model.verdict import Verdict  # noqa: PLC0415 -- as above
    from conformance.runner.session import Rules, Session  # noqa: PLC0415 -- as above

    seed = seed or secrets.randbelow(10**6)
    options = targets.TargetOptions(
        target=target,
        context=context,
        kubeconfig=kubeconfig,
        image=image,
        despite_policies=despite_policies,
        namespace_labels=namespace_label or (),
        namespace_annotations=namespace_annotation or (),
    )
    made = targets.make(options)
    # What is in force at once need not be waited for, and a hundred tries that make a finding small need not take minutes.
    rules = Rules(timeouts={"settle": 1.0, "labels": 1.0} if made.at_once else {})
    # A miniature keeps one processor busy, and threads share one.
    workers = workers or (1 if target.startswith("mini:") else targets.side_by_side(options))
    sessions = [Session(made, rules, name=f"fuzz{number}") for number in range(workers)]
    verdicts: Counter[Verdict] = Counter()
    found, last = 0, start - 1
    try:
        for each in sessions:
            each.open()
        began = time.monotonic()

        def goes_on(done: int) -> bool:
            return time.monotonic() - began < seconds and not (count and done >= count) and found < most

        for sample in samples(sessions, target, seed=seed, start=start, goes_on=goes_on):
            verdicts[sample.verdict] += 1
            last = max(last, sample.number)
            if sample.reason:
                err.print(f"sample {sample.number}: {sample.verdict}: {sample.reason}", markup=False)
            if sample.finding is not None:
                found += 1
                file = output / f"seed-{seed}-sample-{sample.number}.yaml"
                output.mkdir(parents=True, exist_ok=True)
                file.write_text(sample.finding.text, encoding="utf-8")
                out.print(
                    f"sample {sample.number}: {sample.finding.flow} must be {sample.finding.expected}, and was not: {file}",
                    markup=False,
                )
    finally:
        made.close()
    minutes = (time.monotonic() - began) / 60
    tried = sum(verdicts.values())
    out.print(
        f"{tried} samples, {tried / minutes:.0f} a minute: "
        f"{', '.join(f'{number} {verdict}' for verdict, number in verdicts.items()) or 'none'}; "
        f"to go on: --seed {seed} --start {last + 1}",
        markup=False,
    )
    if found:
        raise typer.Exit(_EXIT_FOUND)
    if verdicts[Verdict.ERROR]:
        raise typer.Exit(_EXIT_UNJUDGED)
