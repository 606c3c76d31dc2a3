"""ONNX Runtime on the models, exported from torch_models by a process of its own, so that torch is not in this one's memory.  Exports are kept in
SYNTIC_PEERS_CACHE, by default a folder beside the system's temporary files.

    python onnx_peer.py CASE FILE    exports
"""
import os
import subprocess
import sys
import tempfile

import numpy as np


def load(case, setting):
    import onnxruntime as ort
    from peer import Unknown
    if case.half or case.name not in ("clip-image", "clip-text", "sd-unet", "sd-vae-decode", "detr"):
        raise Unknown("ONNX Runtime is measured on float32 inference of models")
    cache = os.environ.get("SYNTIC_PEERS_CACHE", os.path.join(tempfile.gettempdir(), "syntic-peers"))
    os.makedirs(cache, exist_ok=True)
    path = os.path.join(cache, f"{case.name}-{case.shape}.onnx")
    if not os.path.exists(path):
        done = subprocess.run([sys.executable, os.path.abspath(__file__), f"{case.name}/{case.shape}/f32", path], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            raise RuntimeError("export: " + done.stderr.strip().splitlines()[-1])
    options = ort.SessionOptions()
    options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", "0"))
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(1)
    feed = {}
    for i in session.get_inputs():
        if i.type == "tensor(int64)":
            ids = rng.integers(320, 40000, i.shape)
            if ids.ndim == 2:
                ids[:, 0], ids[:, -1] = 49406, 49407
            feed[i.name] = ids
        else:
            feed[i.name] = rng.standard_normal(i.shape, dtype=np.float32)
    return lambda: session.run(None, feed), ort.__version__, "CPUExecutionProvider"


def export(name, path):
    import torch
    import torch_models as models
    from peer import Case
    case = Case(name)

    class Out(torch.nn.Module):
        """What is measured of the model, as tensors."""

        def __init__(self, model, pick):
            super().__init__()
            self.model, self.pick = model, pick

        def forward(self, *x):
            return self.pick(self.model, *x)

    normal = torch.nn.functional.normalize
    b = case.size("b", 1)
    model, pick, args = {
        "clip-image": (models.clip_image_model, lambda m, x: normal(m(pixel_values=x).image_embeds, dim=-1), lambda: (torch.randn(b, 3, 224, 224),)),
        "clip-text": (models.clip_text_model, lambda m, x: normal(m(input_ids=x).text_embeds, dim=-1), lambda: (models.texts([77] * b, 77),)),
        "sd-unet": (models.unet_model, lambda m, x, t, c: m(x, t, encoder_hidden_states=c).sample, lambda: (torch.randn(1, 4, 64, 64), torch.tensor([801]), torch.randn(1, 77, 768))),
        "sd-vae-decode": (models.Decode, lambda m, z: m(z), lambda: (torch.randn(1, 4, 64, 64),)),
        "detr": (models.detr_model, lambda m, x: tuple(m(pixel_values=x)[k] for k in ("logits", "pred_boxes")), lambda: (torch.randn(1, 3, 800, 1066),)),
    }[case.name]
    with torch.no_grad():
        torch.onnx.export(Out(model(), pick).eval(), args(), path, dynamo=True, external_data=True, optimize=True)


if __name__ == "__main__":
    export(*sys.argv[1:])
