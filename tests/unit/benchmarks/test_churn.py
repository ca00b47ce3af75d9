"""`nextclick bench churn` on a hand-made portal: who read every day comes back, who read once does not."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.models import churn
from cli.bench import bench
from nextclick.errors import UsageError

HOUR = 3_600_000
REAL = Path("/work/shared/data/globo-clicks")


def portal(folder: Path) -> Path:
    """600 readers over 14 days: of each eighth the even ones come on seven days of ten, the others on one of four."""
    rng = np.random.default_rng(1)
    header = ["user_id", "click_article_id", "click_timestamp", "click_deviceGroup", "click_referrer_type"]
    with (folder / "clicks_hour_000.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(header)
        for reader in range(600):
            for day in range(14):
                if rng.random() < (0.25 if reader % 2 else 0.7):
                    at = churn.START // 1000 + day * 24 * HOUR + int(rng.integers(0, 24 * HOUR))
                    rows.writerow([8 * reader, day, at, 1, 2])
                    rows.writerow([8 * reader + 1, day, at, 1, 2])  # not one of the eighth
    return folder


def test_the_served_model_is_beside_what_it_has_to_beat(tmp_path: Path) -> None:
    shown = CliRunner().invoke(bench, ["churn", str(portal(tmp_path)), "--json"], catch_exceptions=False)
    result = json.loads(shown.stdout)
    assert shown.exit_code == 0
    assert list(result["models"]) == ["base_rate", "recency", "served"]
    assert 300 < result["served"]["people"] <= 600
    assert result["models"]["base_rate"]["auc"] == 0.5
    assert result["served"]["auc"] > 0.7
    assert (
        result["served"]["log_loss"]
        < result["models"]["recency"]["log_loss"]
        < result["models"]["base_rate"]["log_loss"]
    )
    told = CliRunner().invoke(bench, ["churn", str(tmp_path)], catch_exceptions=False).output
    assert "log loss: " in told
    assert "of them come back; every condition of the gate holds" in told


def test_a_folder_without_clicks_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds no clicks_hour_\*\.csv\.gz"):
        churn.run(tmp_path)


@pytest.mark.stress
@pytest.mark.skipif(not REAL.is_dir(), reason=f"the real clicks are not in {REAL}")
def test_on_the_real_portal_the_goals_hold() -> None:
    result = churn.run(REAL)
    assert result["served"]["auc"] >= 0.745
    assert result["served"]["ece"] <= 0.03
    assert result["reasons"] == []
