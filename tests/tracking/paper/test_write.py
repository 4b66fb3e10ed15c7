"""The paper kit: fonts and sizes of its figures, its tables and methods, and that it compiles."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import zlib
from pathlib import Path

import pytest

from sport_ray.errors import UserError
from sport_ray.tracking.analysis.tables import tables_of
from sport_ray.tracking.paper.methods import methods_in_tex
from sport_ray.tracking.paper.print import ENGINE, has_pgf
from sport_ray.tracking.paper.tables import ROWS, floats, tables_in_tex
from sport_ray.tracking.paper.write import COLUMN, GAP, write_paper
from sport_ray.tracking.results.records import read_results
from tests.tracking.conftest import fail, write_kinds, write_study

NAME = "50%_of $α & ε_max# \\end{document} ~^<é漢"
slow = pytest.mark.slow


def tables(path: Path) -> dict[str, str]:
    folder = read_results(path)
    return tables_in_tex(tables_of(folder), float(folder.certificate["beta"]))


def test_a_table_has_every_setting_with_its_intervals(make_kinds):
    path = make_kinds()
    text = tables(path)["settings"]
    settings = tables_of(read_results(path)).settings
    assert text.count(r"\\" + "\n") == len(settings) + 1  # its heads
    row = next(line for line in text.splitlines() if line.startswith("PPO, pathwise budget"))
    cells = [cell.strip() for cell in row.rstrip("\\ ").split(" & ")]
    assert cells[1:3] == ["21", "3"]
    assert cells[3] == "0.05"
    assert re.fullmatch(r"\d+\.\d+ \[\d+\.\d+, \d+\.\d+\]", cells[6])
    for said in ("95\\% t intervals over training seeds", "Clopper--Pearson", "worst seed"):
        assert said in text
    for rule in (r"\toprule", r"\midrule", r"\bottomrule"):
        assert text.count(rule) == 1


def test_the_speed_up_has_its_intervals(make_kinds):
    text = tables(make_kinds())["speedup"]
    assert "Fieller" in text
    assert re.search(
        r"0\.1 & 21 & pathwise budget, learned & \d\.\d\d \[\d\.\d\d, \d\.\d\d\]", text
    )


def test_a_single_seed_has_no_interval(make_kinds):
    text = tables(make_kinds(seeds=(0,)))["settings"]
    rows = text[text.index(r"\midrule") :]
    assert "[" not in rows


def test_a_long_table_goes_on():
    rows = [[str(i), "x"] for i in range(2 * ROWS + 1)]
    parts = dict(floats("all", ["a", "b"], rows, "50% of it.", "lr"))
    assert list(parts) == ["all", "all_2", "all_3"]
    assert r"50\% of it." in parts["all"]
    assert r"Table~\ref{tab:all}, continued." in parts["all_3"]
    assert sum(text.count(" & x") for text in parts.values()) == len(rows)


def test_the_methods_say_n_beta_t_bound_seeds_versions_and_digest(make_results):
    folder = read_results(make_results())
    frame = tables_of(folder).frame
    text = methods_in_tex(folder, frame)
    certificate = folder.certificate
    for said in (
        "$N = 10{,}000$", r"$\beta = 10^{-7}$", "$T = 21$", "$T = 30$", "for all $T$ together",
        r"\varepsilon_{\mathrm{base}} = 0.0", certificate["digest"][:16],
        certificate["base_digest"][:16], "Training seeds: 0, 1;",
        "51 of 52 cells finished (1 failed).",
        "torch 2.13.0", "sport-ray 0.1.0", r"sport\_ray/PointReachAvoid-v0",
    ):  # fmt: skip
        assert said in text, said


def test_the_methods_of_a_study_that_is_not_finished_count_what_is_planned(make_results):
    path = make_results(alphas=(1.0,), horizons=(21,))
    cells = sorted(file.parent.name for file in path.glob("cells/*/record.json"))
    job = {"cells": [*cells, "a" * 16, "b" * 16], "kind": "projected_ppo"}
    (path / "plan.json").write_text(json.dumps({"cells": job["cells"], "jobs": [job]}))
    sweep = {"alphas": [1.0, 1.25], "eps_max": None, "seeds": [0, 1, 2]}
    (path / "study.json").write_text(json.dumps({"name": "quickstart", "sweep": sweep}))
    folder = read_results(path)
    text = methods_in_tex(folder, tables_of(folder).frame)
    assert "Training seeds: 0, 1 of the planned 0, 1, 2; 6 of 8 cells finished (2 not run)." in text
    assert r"; $\alpha \in \{1\}$ of the planned $\{1, 1.25\}$." in text
    assert r"\varepsilon_{\mathrm{max}}" not in text
    for cell in cells[:4]:
        (path / "cells" / cell / "record.json").unlink()
    for cell in cells[4:]:
        file = path / "cells" / cell / "record.json"
        file.write_text(json.dumps(fail(json.loads(file.read_text()), "out of memory")))
    folder = read_results(path)
    text = methods_in_tex(folder, tables_of(folder).frame)
    assert "\n0 of 8 cells finished (2 failed, 6 not run).\n" in text
    assert "Task policies" not in text


def test_without_a_certificate_the_methods_say_so(make_results):
    path = make_results(alphas=(1.0,), horizons=(21,))
    (path / "certificate.json").unlink()
    folder = read_results(path)
    assert "no certificate" in methods_in_tex(folder, tables_of(folder).frame)


@pytest.mark.parametrize("column", [0.0, 12.0])
def test_a_width_that_no_page_has(make_results, column):
    with pytest.raises(UserError, match=r"a column of .* inches: give a width from 2\.8 to 3\.9"):
        write_paper(make_results(alphas=(1.0,), horizons=(21,)), column=column)


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a study with a name that no engine would take as it is."""
    path = write_study(
        tmp_path_factory.mktemp("kit"), NAME, samples=True, alphas=(1.0, 1.1, 3.0), horizons=(21,)
    )
    return write_paper(path).parent


def _streams(pdf: Path) -> bytes:
    """What a PDF says, its compressed parts too."""
    content = pdf.read_bytes()
    parts = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", content, re.DOTALL)
    return content + b"".join(_plain(part) for part in parts)


def _plain(part: bytes) -> bytes:
    try:
        return zlib.decompress(part)
    except zlib.error:
        return b""


@slow
def test_figures_have_the_width_of_their_column_and_their_fonts_inside(kit):
    for place, wide in (("column", COLUMN), ("full", 2 * COLUMN + GAP)):
        files = sorted((kit / place / "figures").glob("*.pdf"))
        assert {"risk", "pareto", "trajectories"} <= {file.stem for file in files}
        for file in files:
            content = _streams(file)
            box = re.search(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]", content)
            assert float(box[1]) == pytest.approx(72 * wide, abs=0.5), file
            assert float(box[2]) < 72 * 9
            assert b"/Subtype /Type3" not in content, file
            assert content.count(b"/FontFile2") >= 1, file
            assert b"CreationDate" not in content


@slow
def test_every_figure_has_its_caption_and_main_has_all(kit):
    main = (kit / "main.tex").read_text()
    for place in ("column", "full"):
        for file in (kit / place / "figures").glob("*.pdf"):
            assert rf"\input{{{place}/{file.stem}}}" in main
            text = (kit / place / f"{file.stem}.tex").read_text()
            assert rf"\includegraphics{{\sportray/{place}/figures/{file.name}}}" in text
            assert r"\caption{" in text
    for file in kit.rglob("*.tex"):
        assert file.read_text().isascii()
    assert "Clopper--Pearson" in (kit / "column" / "risk.tex").read_text()


@slow
def test_the_same_results_give_the_same_kit(tmp_path):
    path = write_kinds(tmp_path, levels=(0.1,), kinds=("ratio", "pathwise"))
    kits = [write_paper(path, tmp_path / name).parent for name in ("a", "b")]
    files = [sorted(file.relative_to(kit) for file in kit.rglob("*.*")) for kit in kits]
    assert files[0] == files[1]
    for name in files[0]:
        assert (kits[0] / name).read_bytes() == (kits[1] / name).read_bytes(), name


def compiled(folder: Path, name: str) -> str:
    """The engine's log of two runs; it fails on any error."""
    for _ in range(2):
        done = subprocess.run(
            [ENGINE, "-interaction=nonstopmode", "-halt-on-error", name],
            cwd=folder, capture_output=True, timeout=120, check=False,
            env=os.environ | {"openout_any": "p"},
        )  # fmt: skip
        log = (folder / name).with_suffix(".log").read_text(errors="replace")
        assert done.returncode == 0, log[-2000:]
    return log


@slow
@pytest.mark.skipif(shutil.which(ENGINE) is None, reason="no LaTeX engine")
def test_it_compiles(kit):
    log = compiled(kit, "main.tex")
    assert "Overfull" not in log
    assert "undefined" not in log
    assert "Float too large" not in log
    assert "(Type 3)" not in log
    assert (kit / "main.pdf").read_bytes().startswith(b"%PDF")


@slow
@pytest.mark.skipif(not has_pgf(), reason="no LaTeX engine with PGF")
def test_every_pgf_compiles_within_a_document_of_its_own(kit):
    names = sorted(file.name for file in (kit / "column" / "figures").glob("*.pgf"))
    assert len(names) == len(list((kit / "column" / "figures").glob("*.pdf")))
    inputs = "\n\n".join(rf"\noindent\input{{column/figures/{name}}}" for name in names)
    (kit / "pgf.tex").write_text(
        "\\documentclass{article}\\usepackage{amsmath,amssymb,pgf}\\begin{document}\n"
        f"{inputs}\n\\end{{document}}\n"
    )
    compiled(kit, "pgf.tex")
