import io
from pathlib import Path

from PIL import Image

from cli.conftest import Command


def test_a_report_is_a_png_and_what_is_wrong_is_one_sentence(
    pidgr: Command, organization_id: str, tmp_path: Path
) -> None:
    file = tmp_path / "home.png"
    ours = ("--organization-id", organization_id, "--screen", "Home", "--output", str(file))
    made = pidgr("heatmap", "render", *ours, "--from", "2026-01-01", "--to", "2026-01-31")
    assert (made.status, made.err) == (0, "")
    assert made.out == f"{file}: {file.stat().st_size:,} bytes\n"
    with Image.open(io.BytesIO(file.read_bytes()), formats=["PNG"]) as image:
        assert image.width == 540
    late = pidgr("heatmap", "render", *ours, "--from", "2026-02-01", "--to", "2026-01-31")
    assert late.sentence().startswith("date_to:")
    fine = pidgr("heatmap", "render", *ours, "--resolution", "0.001")
    assert fine.sentence().startswith("grid_resolution:")
    theirs = (*ours[:1], "nope", *ours[2:])
    assert pidgr("heatmap", "render", *theirs).sentence() == "no organization has the id nope"


def test_an_unknown_campaign_is_not_simulated(pidgr: Command, organization_id: str) -> None:
    del organization_id
    answer = pidgr("campaigns", "simulate", "nope", "--json")
    assert answer.sentence() == "no campaign has the id nope"


def test_only_deliveries_are_explained(pidgr: Command, organization_id: str) -> None:
    del organization_id
    assert pidgr("explain", "nope").sentence() == "delivery_id: must be a UUID"
    unknown = pidgr("explain", "00000000-0000-8000-8000-000000000000", "--json")
    assert unknown.sentence() == "there is no such delivery"
