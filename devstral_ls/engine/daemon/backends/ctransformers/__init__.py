"""ctransformers, an optional backend for old files: Llama-2-era GGUF models with a SentencePiece vocabulary, CPU only.

It cannot load any Devstral: version 0.2.27, its last, is llama.cpp of September 2023. Nothing depends on it.
"""
