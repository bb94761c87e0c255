"""The theorems from Python: the certificates of the command line."""

import json

import pytest

import gramstep


def test_certificates_and_page_are_those_of_the_command_line(tmp_path, capsys):
    found = gramstep.verify(["cai2019-minibatch"], seeds=2, out=tmp_path / "verdicts", verbose=True)
    (certificate,) = found["claims"]
    assert certificate["verdict"] == "holds" and certificate["seeds"] == [0, 1]
    assert certificate["sentence"] in capsys.readouterr().err
    kept = json.loads((tmp_path / "verdicts" / "certificates.json").read_text(encoding="utf-8"))
    assert kept["claims"][0]["measured"] == certificate["measured"]
    assert "<svg" in (tmp_path / "verdicts" / "report.html").read_text(encoding="utf-8")


def test_a_network_too_narrow_for_a_claim_does_not_hold():
    (certificate,) = gramstep.verify("neighbourhood", widths=[4], seeds=1)["claims"]
    assert certificate["verdict"] != "holds"


def test_unknown_claims_and_no_seeds_are_refused():
    with pytest.raises(ValueError, match="du2018"):
        gramstep.verify("du2018")
    with pytest.raises(ValueError, match="seeds"):
        gramstep.verify("du2019", seeds=0)
