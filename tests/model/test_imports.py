import subprocess
import sys

HEAVY = ("torch", "snntorch", "tonic", "matplotlib", "sklearn", "pydantic")


def test_names_and_commands_import_nothing_heavy():
    code = ("import sys, spikewright.model, spikewright.model.commands;"
            f"print([m for m in {HEAVY} if m in sys.modules])")
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_public_names_stay_themselves_whatever_is_imported():
    code = ("import spikewright.model.compiler, spikewright.model.quantisation.rounding;"
            "from spikewright.model import *; from spikewright import model;"
            "print(all(getattr(model, n).__name__ == n for n in model.__all__))")
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "True"
