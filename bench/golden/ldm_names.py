"""Names of Stable Diffusion 1.x's single-file checkpoints and diffusers' names of the same tensors: python ldm_names.py OUT.json.gz

Names are tried in every combination of the latent-diffusion code's parts; diffusers' own conversion says what becomes of each. Those that become a
tensor of the model are kept, and every tensor of the model must come of exactly one. Shapes in the file are those of the full model, as the
original file has them (convolutions of one pixel in the autoencoder's attention). Made with diffusers 0.42.1.
"""
import gzip
import itertools
import json
import sys

import diffusers
import torch
from diffusers.loaders.single_file_utils import convert_ldm_clip_checkpoint, convert_ldm_unet_checkpoint, convert_ldm_vae_checkpoint
from transformers import CLIPTextConfig, CLIPTextModel

with torch.device("meta"):
    unet = diffusers.UNet2DConditionModel(cross_attention_dim=768, attention_head_dim=8)
    vae = diffusers.AutoencoderKL(block_out_channels=(128, 256, 512, 512), layers_per_block=2, down_block_types=("DownEncoderBlock2D",) * 4,
                                  up_block_types=("UpDecoderBlock2D",) * 4)
    text = CLIPTextModel(CLIPTextConfig(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12))

WB = (".weight", ".bias")
RES = ["in_layers.0", "in_layers.2", "emb_layers.1", "out_layers.0", "out_layers.3", "skip_connection"]
ATT = ["norm", "proj_in", "proj_out"] + ["transformer_blocks.0." + n for n in (
    *(f"attn{a}.{n}" for a in (1, 2) for n in ("to_q", "to_k", "to_v", "to_out.0")), "ff.net.0.proj", "ff.net.2", "norm1", "norm2", "norm3")]
blocks = [f"{b}_blocks.{i}.{k}" for b in ("input", "output") for i in range(12) for k in range(3)] + [f"middle_block.{k}" for k in range(3)]
unet_names = [p + s for p in ("time_embed.0", "time_embed.2", "out.0", "out.2", "input_blocks.0.0") for s in WB]
unet_names += [f"{b}.{n}{s}" for b, n, s in itertools.product(blocks, RES + ATT + ["op", "conv"], WB)]
# a doubling layer is the last of its block: 1 where there is no attention, which is in the first level of output blocks
unet_names = [n for n in unet_names if not (n.startswith("output_blocks.2.2.conv") or n.startswith(("output_blocks.5.1.conv", "output_blocks.8.1.conv")))]
VRES = ["norm1", "conv1", "norm2", "conv2", "nin_shortcut"]
vae_names = [f"{c}.{n}{s}" for c in ("encoder", "decoder") for n in ("conv_in", "conv_out", "norm_out") for s in WB] + [q + s for q in ("quant_conv", "post_quant_conv") for s in WB]
vae_names += [f"{c}.{d}.{i}.block.{j}.{n}{s}" for c, d in (("encoder", "down"), ("decoder", "up")) for i in range(4) for j in range(4) for n in VRES for s in WB]
vae_names += [f"{c}.{d}.{i}.{d}sample.conv{s}" for c, d in (("encoder", "down"), ("decoder", "up")) for i in range(4) for s in WB]
vae_names += [f"{c}.mid.{n}{s}" for c in ("encoder", "decoder") for n in [f"block_{k}.{r}" for k in (1, 2) for r in VRES] + [f"attn_1.{a}" for a in ("norm", "q", "k", "v", "proj_out")]
              for s in WB]



def find(prefix, names, convert, model):
    want = model.state_dict()
    names, made = list(names), {}
    while True:  # without the names that block others: a wrong one may take a place of a right one
        tagged = {}
        for i, n in enumerate(names):
            t = torch.full((1, 1, 1, 1) if n.endswith("weight") else (1,), float(i))
            tagged[prefix + n] = t
        made = {k: names[int(v.reshape(-1)[0])] for k, v in convert(tagged).items()}
        drop = {n for k, n in made.items() if k not in want} | (set(names) - set(made.values()))
        if not drop:
            break
        names = [n for n in names if n not in drop]
    assert made.keys() == want.keys(), (set(want) ^ set(made))
    assert len(set(made.values())) == len(made)
    return {prefix + n: [k, list(want[k].shape)] for k, n in made.items()}


table = {}
table["unet"] = find("model.diffusion_model.", unet_names, lambda c: convert_ldm_unet_checkpoint(c, dict(layers_per_block=2)), unet)
table["vae"] = find("first_stage_model.", vae_names, lambda c: convert_ldm_vae_checkpoint(c, dict(down_block_types=[0] * 4, up_block_types=[0] * 4)), vae)
for n, e in table["vae"].items():
    if ".attn_1." in n and n.endswith("weight") and len(e[1]) == 2:
        e[1] += [1, 1]
text_names = {"text_model." + k.removeprefix("text_model."): v for k, v in text.state_dict().items()}
tagged = {"cond_stage_model.transformer." + k: k for k in text_names}
table["text"] = {n: [k, list(text_names[k].shape)] for n, k in tagged.items()}
assert convert_ldm_clip_checkpoint(tagged) == {k: k for k in text_names}
for k, v in table.items():
    print(k, len(v))
with open(sys.argv[1], "wb") as f, gzip.GzipFile("", "wb", 9, f, 0) as z:
    z.write(json.dumps(table).encode())
