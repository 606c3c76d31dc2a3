"""Models of the real sizes with random weights, and what the original libraries make of them:

    python make_full.py OUT_DIR NAME...        NAME: clip_b32 clip_l14 sd_text sd_unet sd_vae detr_r50 gpt2

OUT_DIR/NAME gets the model's folder (the hub's files, names and short configurations), inputs.safetensors and
outputs.safetensors, with the states between layers: what `syntic forward --layers` reads and gives.  Weights are drawn as for
the tiny models (common.randomise), so that activations keep about unit size in every layer; the spread of each output is
printed, so that a degenerate one would show.  sd_unet takes 8 GB of memory and 3.5 GB of disk; the others far less.
GOLDEN_LATENT=32 makes the UNet's and the VAE's latents smaller than Stable Diffusion's own 64.
"""
import gc

from common import *

LATENT = int(os.environ.get("GOLDEN_LATENT", "64"))
torch.set_num_threads(int(os.environ.get("GOLDEN_THREADS", "2")))


def clip_config(text, vision):
    return dict(projection_dim=text.pop("projection"), logit_scale_init_value=2.6592,
                text_config=dict(vocab_size=49408, max_position_embeddings=77, hidden_act="quick_gelu", layer_norm_eps=1e-5,
                                 bos_token_id=0, eos_token_id=2, pad_token_id=1, **text),
                vision_config=dict(image_size=224, hidden_act="quick_gelu", layer_norm_eps=1e-5, **vision))


CLIP = {
    "clip_b32": clip_config(
        dict(hidden_size=512, intermediate_size=2048, num_hidden_layers=12, num_attention_heads=8, projection=512),
        dict(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12, patch_size=32)),
    "clip_l14": clip_config(
        dict(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12, projection=768),
        dict(hidden_size=1024, intermediate_size=4096, num_hidden_layers=24, num_attention_heads=16, patch_size=14)),
}
SD_UNET = dict(sample_size=64, block_out_channels=(320, 640, 1280, 1280), norm_num_groups=32, cross_attention_dim=768)
SD_VAE = dict(sample_size=512, block_out_channels=(128, 256, 512, 512), norm_num_groups=32)
SD_TEXT = dict(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12, vocab_size=49408,
               max_position_embeddings=77, hidden_act="quick_gelu", layer_norm_eps=1e-5, bos_token_id=0, eos_token_id=2,
               pad_token_id=1, projection_dim=768)
DETR = dict(num_queries=100, num_labels=91,
            backbone=dict(embedding_size=64, hidden_sizes=[256, 512, 1024, 2048], depths=[3, 4, 6, 3], layer_type="bottleneck",
                          out_features=["stage4"]))
GPT2 = dict(vocab_size=50257, n_positions=1024, n_embd=768, n_layer=12, n_head=12, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)


def write(d, inputs, outputs):
    save(d + "/inputs.safetensors", inputs)
    out = save(d + "/outputs.safetensors", outputs)
    for k in sorted(out):
        if out[k].is_floating_point():
            assert torch.isfinite(out[k]).all(), k
            print(f"    {k:60} {str(list(out[k].shape)):22} std {out[k].std().item() if out[k].numel() > 1 else 0:.3g}")


def texts(n):
    import make_clip
    return make_clip.make_ids(49408, n)


def clip(d, name):
    import make_clip
    from transformers import CLIPConfig, CLIPModel
    c = CLIPConfig(**CLIP[name])
    c._attn_implementation = "eager"
    m = randomise(CLIPModel(c), 7)
    m.save_pretrained(d)
    f = d + "/model.safetensors"
    save_file({k: v.contiguous() for k, v in make_clip.hub_names(load_file(f)).items()}, f, metadata={"format": "pt"})
    ids, mask = texts(4)
    px = rand(8, 2, 3, 224, 224)
    write(d, dict(pixel_values=px, input_ids=ids, attention_mask=mask), make_clip.run(m, px, ids, mask))


def sd_text(d, name):
    import make_sd
    from transformers import CLIPTextConfig, CLIPTextModel
    m = randomise(CLIPTextModel(CLIPTextConfig(**SD_TEXT)), 9)
    m.save_pretrained(d)
    f = d + "/model.safetensors"
    save_file({k: v.contiguous() for k, v in make_sd.hub_text(load_file(f)).items()}, f, metadata={"format": "pt"})
    ids, _ = texts(3)
    write(d, dict(input_ids=ids), make_sd.run_text(m, ids))


def short(d, keys, cls):
    """The few keys that SD 1.4's own configurations have."""
    c = load_json(d + "/config.json")
    save_json(d + "/config.json", {"_class_name": cls, "_diffusers_version": "0.2.2", **{k: c[k] for k in keys if k in c}})


def blocks(m):
    """Names of the modules whose results are kept: all that stand in a row, and what is around them."""
    keep = ("resnets", "attentions", "down_blocks", "up_blocks", "downsamplers", "upsamplers")
    fixed = {"time_proj", "time_embedding", "conv_in", "mid_block", "conv_norm_out", "conv_out"}
    return [n for n, _ in m.named_modules() if n in fixed or n.split(".")[-1].isdigit() and n.split(".")[-2] in keep]


def sd_unet(d, name):
    import diffusers as D
    import make_sd
    for layer in (torch.nn.Linear, torch.nn.Conv2d):
        layer.reset_parameters = lambda self: None  # 860 million numbers that randomise draws anew
    m = randomise(D.UNet2DConditionModel(**{**make_sd.UNET, **SD_UNET}), 10)
    with torch.no_grad():
        m.conv_out.weight.mul_(0.5)
    m.save_pretrained(d, max_shard_size="40GB")
    short(d, make_sd.UNET_KEYS, "UNet2DConditionModel")
    x, t, ctx = rand(11, 1, 4, LATENT, LATENT), torch.tensor([801]), rand(12, 1, 77, 768)
    with torch.no_grad():
        out, acts = make_sd.hooked(m, blocks(m), lambda: m(x, t, encoder_hidden_states=ctx).sample)
    del m
    gc.collect()
    write(d, dict(sample=x, timestep=t, encoder_hidden_states=ctx), {"out": out, **acts})


def sd_vae(d, name):
    import diffusers as D
    import make_sd
    m = randomise(D.AutoencoderKL(**{**make_sd.VAE, **SD_VAE}), 13)
    with torch.no_grad():
        m.decoder.conv_out.weight.mul_(0.4)
        m.quant_conv.weight.mul_(0.7)
        m.quant_conv.bias[4:] -= 3.0
    m.save_pretrained(d)
    short(d, make_sd.VAE_KEYS, "AutoencoderKL")
    z = rand(14, 1, 4, LATENT, LATENT, scale=3.0)
    im = torch.nn.functional.interpolate(rand(15, 1, 3, 16, 16), size=(8 * LATENT, 8 * LATENT), mode="bicubic").clamp(-1, 1)
    with torch.no_grad():
        acts = {}
        hooks = ["mid_block", "mid_block.attentions.0", "conv_in"]
        small = lambda s: [f"{s}.{h}" for h in hooks]  # the wide ones of the last levels take half a gigabyte each
        dec, a = make_sd.hooked(m, small("decoder") + ["decoder.up_blocks.0"], lambda: m.decode(z).sample)
        dist, b = make_sd.hooked(m, small("encoder")[:2] + ["encoder.down_blocks.2"], lambda: m.encode(im).latent_dist)
        acts = {**a, **b}
        acts.pop("act.decoder.conv_in", None)
    write(d, dict(latent=z, image=im), {"decoded": dec, "mean": dist.mean, "logvar": dist.logvar, "std": dist.std, **acts})


def detr_r50(d, name):
    import make_detr
    m = make_detr.build(d, DETR, 16)
    f = d + "/model.safetensors"
    timm = make_detr.to_timm(load_file(f), DETR["backbone"]["depths"])  # the names of the hub's facebook/detr-resnet-50
    save_file({k: v.contiguous() for k, v in timm.items()}, f, metadata={"format": "pt"})
    c = load_json(d + "/config.json")
    keys = ("architectures model_type id2label label2id d_model encoder_layers decoder_layers encoder_attention_heads decoder_attention_heads "
            "encoder_ffn_dim decoder_ffn_dim num_queries activation_function position_embedding_type dilation auxiliary_loss").split()
    save_json(d + "/config.json", {**{k: c[k] for k in keys if k in c}, "backbone": "resnet50", "use_timm_backbone": True})
    px = make_detr.blobs(17, 1, 800, 1066)
    mask = torch.ones(1, 800, 1066, dtype=torch.long)
    o = make_detr.run(m, px, mask)
    o["position_embedding"] = make_detr.position(m, o["backbone.mask"].bool(), torch.float32)
    for k in ("backbone.embedder", "backbone.encoder.stages.0"):  # 70 MB each
        o.pop(k)
    write(d, dict(pixel_values=px, pixel_mask=mask), o)


def gpt2(d, name):
    from transformers import GPT2Config, GPT2LMHeadModel
    m = randomise(GPT2LMHeadModel(GPT2Config(**GPT2)), 18, emb=0.4)
    m.set_attn_implementation("eager")
    m.save_pretrained(d)
    prefix, ids = rand(19, 2, 10, 768, scale=0.4), torch.from_numpy(np.random.default_rng(20).integers(0, 50257, (2, 20)))
    with torch.no_grad():
        r = m(inputs_embeds=torch.cat([prefix, m.transformer.wte(ids)], 1), output_hidden_states=True)
    write(d, dict(prefix=prefix, input_ids=ids), {"logits": r.logits, **{f"hidden.{i}": h for i, h in enumerate(r.hidden_states)}})


MAKERS = {"clip_b32": clip, "clip_l14": clip, "sd_text": sd_text, "sd_unet": sd_unet, "sd_vae": sd_vae, "detr_r50": detr_r50, "gpt2": gpt2}


def main():
    names = sys.argv[2:] or list(MAKERS)
    if len(sys.argv) < 2 or set(names) - set(MAKERS):
        sys.exit(__doc__)
    for name in names:
        d = outdir(name, clean=True)
        print(f"{name}: {d}")
        MAKERS[name](d, name)
        save_json(d + "/versions.json", versions())
        gc.collect()


if __name__ == "__main__":
    main()
