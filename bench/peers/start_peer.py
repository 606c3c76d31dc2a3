"""Whole Python processes: from their start to the feature of one image, with CLIP ViT-B/32 read from a folder.

    python start_peer.py DIR    is such a process
"""
import os
import subprocess
import sys
import tempfile


def load(case, setting):
    import torch
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel
    from peer import Unknown
    if case.name != "start":
        raise Unknown("only the start of a process is measured with it")
    import PIL.Image
    folder = tempfile.TemporaryDirectory(prefix="syntic-bench-")
    CLIPModel(CLIPConfig(projection_dim=512)).save_pretrained(folder.name)
    CLIPImageProcessor().save_pretrained(folder.name)
    PIL.Image.new("RGB", (320, 240), (200, 100, 50)).save(folder.name + "/image.png")
    command = [sys.executable, os.path.abspath(__file__), folder.name]

    def call(keep=folder):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return call, torch.__version__, "transformers, CLIPModel.from_pretrained"


def first_feature(folder):
    import torch
    from PIL import Image
    from transformers import CLIPImageProcessor, CLIPModel
    model = CLIPModel.from_pretrained(folder)
    pixels = CLIPImageProcessor.from_pretrained(folder)(images=Image.open(folder + "/image.png"), return_tensors="pt")
    with torch.inference_mode():
        feature = model.get_image_features(**pixels)
    feature = getattr(feature, "pooler_output", feature)
    print(torch.nn.functional.normalize(feature, dim=-1).shape)


if __name__ == "__main__":
    first_feature(sys.argv[1])
