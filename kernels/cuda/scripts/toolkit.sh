#!/usr/bin/env bash
# Lays out a CUDA 13.0 compiler (nvcc, ptxas, cicc, headers) from PyPI wheels: 105 MB, a few seconds, no root, no GPU.
# usage: toolkit.sh DEST [--disasm]       --disasm adds cuobjdump and nvdisasm, to read the machine code
set -euo pipefail
dest=${1:?usage: $0 DEST [--disasm]}; shift
pins=(nvidia-cuda-nvcc==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-crt==13.0.88
      nvidia-cuda-runtime==13.0.96 nvidia-cuda-cccl==13.0.85)
for a; do case $a in
  --disasm) pins+=(nvidia-cuda-cuobjdump==13.2.86 nvidia-cuda-nvdisasm==13.2.86);; # not published for 13.0; they read its cubins
  *) echo "unknown option $a" >&2; exit 2;; esac; done
stamp=$dest/.pins
if [[ -f $stamp && $(<"$stamp") == "${pins[*]}" ]]; then echo "$dest: up to date"; exit; fi
rm -rf "$dest"; mkdir -p "$dest/.wheels"
plats=(); for p in manylinux_2_27 manylinux2014 manylinux_2_17 manylinux2010 manylinux_2_12; do plats+=(--platform "${p}_x86_64"); done
python3 -m pip download -q --disable-pip-version-check --no-deps --only-binary=:all: "${plats[@]}" -d "$dest/.wheels" "${pins[@]}"
python3 - "$dest" <<'PY'
import pathlib, shutil, sys, zipfile
dest, top = pathlib.Path(sys.argv[1]), "nvidia/cu13/"
for wheel in sorted((dest / ".wheels").glob("*.whl")):
    with zipfile.ZipFile(wheel) as z:
        for i in z.infolist():
            if i.is_dir() or not i.filename.startswith(top): continue
            out = dest / i.filename[len(top):]
            out.parent.mkdir(parents=True, exist_ok=True)
            with z.open(i) as src, open(out, "wb") as f: shutil.copyfileobj(src, f, 1 << 20)
            if i.external_attr >> 16 & 0o100: out.chmod(0o755)
PY
rm -rf "$dest/.wheels"; ln -sfn lib "$dest/lib64"
echo "${pins[*]}" > "$stamp"; "$dest/bin/nvcc" --version | sed -n 4p
