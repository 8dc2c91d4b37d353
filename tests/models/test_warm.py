import subprocess
import sys


def test_training_finds_its_libraries_imported():
    """In a process of its own: here other tests have imported them."""
    script = (
        "import sys\n"
        "from models import kinds, warm\n"
        "lazy = {'torch', 'pytorch_lightning', 'sklearn', 'xgboost', 'skops', 'skl2onnx'}\n"
        "assert not lazy & set(sys.modules), lazy & set(sys.modules)\n"
        "warm.import_libraries()\n"
        "assert lazy <= set(sys.modules), lazy - set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
