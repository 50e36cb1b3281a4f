"""What is on a photo, and how good it is: a YOLO network in ONNX, and plain measuring.

Bytes in, findings out: nothing here knows a camera, the store, the catalog or the daemon.
`zones`, `wanted`, `thresholds` and `lines` are plain Python, for whoever steers; the others need
numpy and Pillow, and the network onnxruntime: the extras ``camd[judge]`` and ``camd[detect]``.
"""

import importlib.util

_JUDGE = {"numpy": "numpy", "PIL": "Pillow"}
_DETECT = {"onnxruntime": "onnxruntime", **_JUDGE}


def lacking(detect: bool = True) -> str:
    """A line for people on what is not installed; empty where nothing is missing.

    :param detect: a model is to look, not only measuring to be done.
    """
    needed = _DETECT if detect else _JUDGE
    absent = [name for module, name in needed.items() if importlib.util.find_spec(module) is None]
    if not absent:
        return ""
    what, extra = ("looking for things on", "detect") if detect else ("judging", "judge")
    return f'{what} photos needs {" and ".join(absent)}: pip install "camd[{extra}]"'
