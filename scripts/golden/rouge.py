#!/usr/bin/env python3
"""Writes Tests/EvaluationTests/Golden/rouge.json: stems of a few hundred words and ROUGE-L of pairs of sentences, by
Google's rouge_score with its stemmer (NLTK's Porter). All texts are the project's own.

Run from the root of the package:  python scripts/golden/rouge.py   (needs rouge_score)
"""
import json
import random

from nltk.stem import porter
from rouge_score import rouge_scorer

PATH = "Tests/EvaluationTests/Golden/rouge.json"

STEMS = """able act add agree allow analog apply arch argue arrange base begin bless build call care carry cease cat
cent chance cold comfort commun compute conflate control create decide depend die digit direct divide dog electric
enjoy equal fail fall fee feed file final fizz flow fly form formal general geo good grade happy hesitate hiss hop hope
ideal infer inform lie logic love make marvel meter mix mod motor multi nation object observe oper oscillate pass path
philo plaster play pony predict probe profit rate ration relate reply respond roll run say sensible sense sing size sky
skate spy stand state stop study survive sweet system tan theory tie transform tree trouble try use valence vary vile
war whole wide worry yellow year zoo""".split()
SUFFIXES = """s es ies sses ed eed ing ly y ied ational tional enci ence anci ance izer ize abli able bli alli al entli ent
eli ousli ous ization ation ator alism iveness ive fulness ful ousness aliti iviti biliti ibility fulli logi logy icate
ative alize iciti icity ical ness er ic ible ant ement ment ion sion tion ou ism ate iti e ll ed ying""".split()
ODD = """skies dying lying tying news inning innings outing outings canning cannings howe proceed exceed succeed y yy yyy
yyyy say sayyy by ax ox oxen aaaa eeee bbbb 1234 3rd 42nd a1b2 x86s 2000s agreed feed bled sing hopping hoping falling
hissing fizzing filing failing tanned happily enjoyment employees syzygy toying crying spied tied died ies dies ties
flies generalizations oscillators geology theology archaeology roll controlling controlled oats trees ivy troubles
private orrery adjustable defensible dependent adoption homologous effective bowdlerize probate cease""".split()

SENTENCES = [
    "The cat sat on the mat, and the dog slept by the door.",
    "A dog was sleeping near the door while the cat sat on a mat.",
    "Distillation trains a small student to imitate a large teacher.",
    "A large teacher is imitated by a small student trained through distillation.",
    "Training students with cached log-probs is faster than running teachers again and again.",
    "It's 3.14 or so; don't ask for more digits!",
    "Three point one four, more or less",
    "Zürich, naïve, café: letters with accents split words.",
    "zurich naive cafe letters with accents split words",
    "\u212aelvin signs and the \u0130stanbul of capital dotted letters",
    "kelvin signs and the istanbul of capital dotted letters",
    "ONE two THREE four Five siX seven EIGHT nine ten",
    "ten nine eight seven six five four three two one",
    "to be or not to be that is the question",
    "the question is whether to be or not",
    "snake_case and kebab-case, camelCase; e-mail@example.org 1,000,000",
    "snake case and kebab case camelcase e mail example org 1 000 000",
    "The quick brown fox jumps over the lazy dog",
    "the lazy dog is jumped over by quick brown foxes",
    "...!?",
    "",
    "word",
    "Words",
    "running runs ran runner easily fairly generously nationalization rationalizing",
    "run run ran run easy fair generous nation ration",
    "数学 is mathematics and \u043c\u0438\u0440 means peace 😀 ok",
    "line one\nline two\tand a tab\r\nline three",
]


def main():
    stemmer = porter.PorterStemmer()
    words = {stem + suffix for stem in STEMS for suffix in SUFFIXES}
    words = sorted(random.Random(1).sample(sorted(words), 900)) + STEMS + ODD
    scorer = rouge_scorer.RougeScorer(["rougeL"], use_stemmer=True)

    def numbers(score):
        return [score.precision, score.recall, score.fmeasure]

    pairs = [
        [i, j] + numbers(scorer.score(SENTENCES[i], SENTENCES[j])["rougeL"])
        for i in range(len(SENTENCES))
        for j in range(len(SENTENCES))
    ]
    choose = random.Random(2)
    multiple = []
    for _ in range(60):
        references = choose.sample(range(len(SENTENCES)), choose.randint(1, 5))
        prediction = choose.randrange(len(SENTENCES))
        score = scorer.score_multi([SENTENCES[r] for r in references], SENTENCES[prediction])["rougeL"]
        multiple.append([references, prediction] + numbers(score))
    with open(PATH, "w") as file:
        json.dump(
            {
                "stems": " ".join(f"{w}:{stemmer.stem(w)}" for w in words),
                "sentences": SENTENCES,
                "pairs": pairs,
                "multiple": multiple,
            },
            file,
            indent=None,
            separators=(",", ":"),
        )
        file.write("\n")


main()
