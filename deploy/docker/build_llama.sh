#!/bin/sh
# Builds llama-cpp-python so that the image starts on any x86-64 processor with AVX2 and uses AVX-512
# where it is there: one backend library for each instruction set, chosen when it is loaded.
# Usage: build_llama.sh WHEEL_FOLDER BACKEND_FOLDER     (/llama.txt holds the pinned requirement)
set -eu
wheels=$1 backends=$2
mkdir -p "$wheels" "$backends" /tmp/llama
flags="-DLLAVA_BUILD=OFF"
if [ "$(uname -m)" = x86_64 ]; then
    # the wheel would leave the backends behind: they are installed into a folder that llama.cpp is told
    flags="$flags -DGGML_NATIVE=OFF -DGGML_BACKEND_DL=ON -DGGML_CPU_ALL_VARIANTS=ON -DGGML_BACKEND_DIR=$backends"
fi
cd /tmp/llama
pip download --quiet --no-deps --no-binary llama-cpp-python -r /llama.txt
tar -xzf llama_cpp_python-*.tar.gz --strip-components=1
# of the fifteen variants those that differ on processors with AVX2: each costs half a minute
sed -i -E '/ggml_add_cpu_backend_variant\((x64|sse42|sandybridge|ivybridge|piledriver|cannonlake|cascadelake|cooperlake|sapphirerapids)[ )]/d' \
    vendor/llama.cpp/ggml/src/CMakeLists.txt
CMAKE_ARGS="$flags" pip wheel --quiet --no-deps --wheel-dir "$wheels" .
ls -l "$wheels" "$backends"
rm -rf /tmp/llama
