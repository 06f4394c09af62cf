"""The everyday grammar: pairs of sentences, English and Brazilian Portuguese, made together.

Both sides of a pair are built from the same choices, so they mean the same and agree. Knows
nothing about models, tokens or training.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from miniatures.text import lexicon, words
from miniatures.text.lexicon import Adjective, Noun, Verb
from miniatures.text.pairs import Pair, after, an
from miniatures.text.phrases import phrases

# Places one is in, rather than at.
_INSIDE = frozenset(("kitchen", "garden", "room", "city", "village", "park", "street", "house", "square"))


@dataclass
class Everyday:
    """Draws pairs; one instance per random source. `invented` is the share of names that are made up."""

    rng: random.Random
    invented: float = 0.1
    nouns: tuple[Noun, ...] = field(default_factory=lexicon.nouns)
    adjectives: tuple[Adjective, ...] = field(default_factory=lexicon.adjectives)
    verbs: tuple[Verb, ...] = field(default_factory=lexicon.verbs)

    def noun(self, kinds: str) -> Noun:
        """Draw a noun of any of the kinds."""
        wanted = set(kinds)
        return self.rng.choice([noun for noun in self.nouns if noun.kinds & wanted])

    def adjective(self, *, of_people: bool, lasting: bool = False) -> Adjective:
        """Draw an adjective said of people or of things; a lasting one never takes "estar"."""
        fits = [item for item in self.adjectives if (item.of_people if of_people else item.of_things)]
        return self.rng.choice([item for item in fits if not (lasting and item.state)])

    def thing(self, kinds: str, *, kind_of: str | None = None, plain: bool = False) -> Pair:
        """Draw a noun phrase; `form` indexes an adjective's Portuguese forms."""
        noun = self.noun(kinds)
        feminine = noun.gender == "f"
        mass = bool(noun.kinds & set("mbxysg")) and not noun.kinds & set("tf")
        if mass and kind_of is None and self.rng.random() < 0.65:
            return Pair(noun.en, noun.pt, 1, int(feminine))
        choices = (
            ["definite", "possessive"]
            if mass
            else ["definite", "indefinite", "possessive", "plural", "number"]
        )
        if plain:
            choices = ["definite", "definite", "possessive", "these"] + ([] if mass else ["plural"])
        kind = kind_of or self.rng.choice([*choices, "these"])
        plural = kind in ("plural", "number") or (kind == "these" and not mass and self.rng.random() < 0.3)
        english, portuguese = (noun.en_plural, noun.pt_plural) if plural else (noun.en, noun.pt)
        form = int(feminine) + 2 * int(plural)
        if not plain and self.rng.random() < 0.25 and not mass:
            quality = self.adjective(of_people=bool(noun.kinds & set("p")), lasting=True)
            english, portuguese = f"{quality.en} {english}", f"{portuguese} {quality.pt[form]}"
        en, pt = self._determined(kind, english, portuguese, form)
        return Pair(en, pt, 3 if plural else 1, form)

    def _determined(self, kind: str, english: str, portuguese: str, form: int) -> tuple[str, str]:
        the = ("o", "a", "os", "as")[form]
        if kind == "indefinite":
            return an(english), f"{('um', 'uma', 'uns', 'umas')[form]} {portuguese}"
        if kind == "number":
            count = self.rng.randint(2, 12)
            pt_number = "duas" if count == 2 and form == 3 else lexicon.NUMBERS[count - 1][1]
            return f"{lexicon.NUMBERS[count - 1][0]} {english}", f"{pt_number} {portuguese}"
        if kind == "possessive":
            owner = self.rng.choice(("my", "my", "your", "our", "his", "her"))
            if owner in ("his", "her"):
                return f"{owner} {english}", f"{the} {portuguese} {'dele' if owner == 'his' else 'dela'}"
            stem = {
                "my": ("meu", "minha", "meus", "minhas"),
                "your": ("seu", "sua", "seus", "suas"),
                "our": ("nosso", "nossa", "nossos", "nossas"),
            }[owner][form]
            return f"{owner} {english}", f"{stem} {portuguese}"
        if kind == "these":
            near = self.rng.random() < 0.6
            en = ("this" if near else "that", "these" if near else "those")[form // 2]
            pt = (("este", "esta", "estes", "estas") if near else ("aquele", "aquela", "aqueles", "aquelas"))[
                form
            ]
            return f"{en} {english}", f"{pt} {portuguese}"
        return f"the {english}", f"{the} {portuguese}"

    def subject(self) -> Pair:
        """Draw who does it."""
        draw = self.rng.random()
        if draw < 0.62:
            return self.rng.choice(
                (
                    Pair("I", "eu", 0), Pair("you", "você", 1), Pair("he", "ele", 1), Pair("she", "ela", 1, 1),
                    Pair("we", "nós", 2, 2), Pair("they", "eles", 3, 2), Pair("they", "elas", 3, 3, "<"),
                )
            )  # fmt: skip
        if draw < 0.75:
            name = words.person(self.rng, self.invented)
            return Pair(name, name, 1, 1 if name.endswith("a") else 0)
        return self.thing(
            "p", kind_of=self.rng.choice(("definite", "definite", "possessive", "plural")), plain=True
        )

    def place(self, preposition: str = "em") -> Pair:
        """Draw a definite place after a preposition: "at the bank" / "no banco"."""
        noun = self.noun("l")
        the = "a" if noun.gender == "f" else "o"
        inside = noun.en in _INSIDE
        english = "to the" if preposition == "a" else ("in the" if inside else "at the")
        return Pair(f"{english} {noun.en}", after(preposition, f"{the} {noun.pt}"))

    def when(self, tense: str) -> Pair:
        """Draw words of time that suit a tense."""
        day = self.rng.randrange(7)
        en_day, pt_day = words.WEEKDAYS["en"][day], words.WEEKDAYS["pt"][day]
        options = {
            "present": (("every day", "todos os dias"), ("in the morning", "de manhã"), ("at night", "à noite"),
                        ("always", "sempre"), ("now", "agora"), ("today", "hoje"), ("here", "aqui")),
            "past": (("yesterday", "ontem"), ("last week", "na semana passada"), ("last year", "no ano passado"),
                     ("last night", "ontem à noite"), (f"on {en_day}", f"{'no' if day > 4 else 'na'} {pt_day}")),
            "future": (("tomorrow", "amanhã"), ("next week", "na próxima semana"), ("later", "mais tarde"),
                       ("next month", "no próximo mês"), (f"on {en_day}", f"{'no' if day > 4 else 'na'} {pt_day}")),
        }[tense]  # fmt: skip
        en, pt = self.rng.choice([item for item in options if item[0] != "always"])
        return Pair(en, pt)

    def action(self) -> Pair:
        """Somebody does something: present, past, future or progressive; told, denied or asked."""
        who, verb = self.subject(), self.rng.choice(self.verbs)
        what = self.thing("".join(sorted(verb.objects)))
        object_pt = after(verb.preposition, what.pt)
        tense = self.rng.choice(("present", "present", "past", "past", "future", "going"))
        mood = self.rng.choice(("told", "told", "told", "denied", "asked"))
        third = who.person == 1 and who.en != "you"
        no = " não" if mood == "denied" else ""
        if tense == "present":
            does = "does" if third else "do"
            said = f"{does} not {verb.en}" if mood == "denied" else (verb.en_third if third else verb.en)
            asked, pt = f"{does} {{}} {verb.en}", verb.present[who.person]
        elif tense == "past":
            said = f"did not {verb.en}" if mood == "denied" else verb.en_past
            asked, pt = f"did {{}} {verb.en}", verb.past[who.person]
        elif tense == "future":
            said = f"will not {verb.en}" if mood == "denied" else f"will {verb.en}"
            asked, pt = f"will {{}} {verb.en}", f"{('vou', 'vai', 'vamos', 'vão')[who.person]} {verb.pt}"
        else:
            be = "am" if who.en == "I" else ("is" if third else "are")
            said = f"{be} not {verb.en_ing}" if mood == "denied" else f"{be} {verb.en_ing}"
            asked = f"{be} {{}} {verb.en_ing}"
            gerund = verb.pt[:-1] + "ndo"
            pt = f"{('estou', 'está', 'estamos', 'estão')[who.person]} {gerund}"
        time = Pair("", "")
        # "They read it", "nós falamos": only words of time tell present from past.
        unclear = verb.en == verb.en_past or (who.person == 2 and verb.present[2] == verb.past[2])
        if self.rng.random() < 0.3 or (unclear and tense in ("present", "past")):
            time = self.when({"going": "present"}.get(tense, tense))
        tail_en, tail_pt = (f" {text}" if text else "" for text in (time.en, time.pt))
        mark = "?" if mood == "asked" else "."
        head = asked.format(who.en) if mood == "asked" else f"{who.en} {said}"
        direction = who.direction
        pt_who = f"{who.pt} "
        if who.en in ("I", "we") and self.rng.random() < 0.15:
            pt_who, direction = "", "<"
        return Pair(
            f"{head} {what.en}{tail_en}{mark}", f"{pt_who}{no.strip()}{' ' if no else ''}{pt} {object_pt}{tail_pt}{mark}",
            direction=direction,
        )  # fmt: skip

    def wish(self) -> Pair:
        """Want, can, must, or like to do something."""
        who, verb = self.subject(), self.rng.choice(self.verbs)
        what = self.thing("".join(sorted(verb.objects)))
        third = who.person == 1 and who.en != "you"
        modal = self.rng.choice(
            (
                ("wants to" if third else "want to", ("quero", "quer", "queremos", "querem")),
                ("can", ("posso", "pode", "podemos", "podem")),
                ("must", ("devo", "deve", "devemos", "devem")),
                ("needs to" if third else "need to", ("preciso", "precisa", "precisamos", "precisam")),
            )
        )
        return Pair(
            f"{who.en} {modal[0]} {verb.en} {what.en}.",
            f"{who.pt} {modal[1][who.person]} {verb.pt} {after(verb.preposition, what.pt)}.",
            direction=who.direction,
        )

    def quality(self) -> Pair:
        """Something or somebody is so, with "ser" or "estar"."""
        about_person = self.rng.random() < 0.4
        who = self.subject() if about_person else self.thing("tlowafd", plain=True)
        quality = self.adjective(of_people=about_person)
        form = who.form
        very = self.rng.random() < 0.25
        past = self.rng.random() < 0.2
        index = who.person
        if past:
            en_be = "was" if who.en == "I" or (index == 1 and who.en != "you") else "were"
            forms = (
                ("estava", "estava", "estávamos", "estavam")
                if quality.state
                else ("era", "era", "éramos", "eram")
            )
        else:
            en_be = "am" if who.en == "I" else ("is" if index == 1 and who.en != "you" else "are")
            forms = ("estou", "está", "estamos", "estão") if quality.state else ("sou", "é", "somos", "são")
        en_word = f"very {quality.en}" if very else quality.en
        pt_word = f"muito {quality.pt[form]}" if very else quality.pt[form]
        if self.rng.random() < 0.2:
            return Pair(
                f"{en_be} {who.en} {en_word}?", f"{who.pt} {forms[index]} {pt_word}?", direction=who.direction
            )
        return Pair(
            f"{who.en} {en_be} {en_word}.", f"{who.pt} {forms[index]} {pt_word}.", direction=who.direction
        )

    def position(self) -> Pair:
        """Something is somewhere."""
        what = self.thing("oa", plain=True)
        base = self.thing("o", kind_of="definite", plain=True)
        are = ("is", "está") if what.person == 1 else ("are", "estão")
        en, pt = self.rng.choice(
            (("on", "em cima de"), ("under", "embaixo de"), ("in", "dentro de"), ("next to", "ao lado de"),
             ("behind", "atrás de"), ("in front of", "na frente de"), ("near", "perto de"))
        )  # fmt: skip
        head, _, last = pt.rpartition(" ")
        where_en, where_pt = f"{en} {base.en}", f"{head} {after(last, base.pt)}"
        draw = self.rng.random()
        if draw < 0.3:
            place = self.place()
            where_en, where_pt = place.en, place.pt
        if self.rng.random() < 0.3:
            noun = self.noun("oap")
            count = self.rng.randint(1, 5)
            numbers = lexicon.NUMBERS[count - 1]
            if count == 1:
                one = "uma" if noun.gender == "f" else "um"
                return Pair(f"there is {an(noun.en)} {where_en}.", f"há {one} {noun.pt} {where_pt}.")
            number = "duas" if count == 2 and noun.gender == "f" else numbers[1]
            return Pair(
                f"there are {numbers[0]} {noun.en_plural} {where_en}.",
                f"há {number} {noun.pt_plural} {where_pt}.",
            )
        return Pair(f"{what.en} {are[0]} {where_en}.", f"{what.pt} {are[1]} {where_pt}.")

    def going(self) -> Pair:
        """Somebody goes to, works at or lives near a place."""
        who = self.subject()
        third = who.person == 1 and who.en != "you"
        goes = self.rng.random() < 0.6
        place = self.place("a" if goes else "em")
        if goes and self.rng.random() < 0.4:
            pt = ("fui", "foi", "fomos", "foram")[who.person]
            time = self.when("past")
            return Pair(
                f"{who.en} went {place.en} {time.en}.",
                f"{who.pt} {pt} {place.pt} {time.pt}.",
                direction=who.direction,
            )
        if goes:
            en, pts = ("goes" if third else "go"), ("vou", "vai", "vamos", "vão")
        else:
            en, pts = ("works" if third else "work"), ("trabalho", "trabalha", "trabalhamos", "trabalham")
        time = self.when("present") if self.rng.random() < 0.4 else Pair("", "")
        return Pair(
            f"{who.en} {en} {place.en} {time.en}".strip() + ".", f"{who.pt} {pts[who.person]} {place.pt} {time.pt}".strip() + ".",
            direction=who.direction,
        )  # fmt: skip

    def direction(self) -> Pair:
        """Ask the way, or tell it."""
        noun = self.noun("l")
        the = "a" if noun.gender == "f" else "o"
        place = f"{the} {noun.pt}"
        return self.rng.choice(
            (
                Pair(f"where is the {noun.en}?", f"onde fica {place}?"),
                Pair(f"how do I get to the {noun.en}?", f"como eu chego {after('a', place)}?"),
                Pair(f"turn left at the {noun.en}.", f"vire à esquerda {after('em', place)}."),
                Pair(f"turn right at the {noun.en}.", f"vire à direita {after('em', place)}."),
                Pair(f"the {noun.en} is on the left.", f"{place} fica à esquerda."),
                Pair(f"the {noun.en} is on the right.", f"{place} fica à direita."),
                Pair(f"is the {noun.en} far?", f"{place} fica longe?"),
                Pair(
                    f"is there {an(noun.en)} near here?",
                    f"há {'uma' if the == 'a' else 'um'} {noun.pt} perto daqui?",
                ),
                Pair(f"go to the {noun.en}.", f"vá {after('a', place)}."),
            )
        )

    def number_words(self, top: int = 99) -> Pair:
        """Draw a number from 1 to `top`, in words."""
        count = self.rng.randint(1, top)
        if count <= 20:
            en, pt = lexicon.NUMBERS[count - 1]
            return Pair(en, pt)
        ten, one = divmod(count, 10)
        en, pt = lexicon.TENS[ten - 2]
        if one == 0:
            return Pair(en, pt)
        unit = lexicon.NUMBERS[one - 1]
        return Pair(f"{en}-{unit[0]}", f"{pt} e {unit[1]}")

    def time(self) -> Pair:
        """Clock times, days, dates, ages and prices."""
        hour = self.rng.randint(2, 12)
        en_hour, pt_hour = lexicon.NUMBERS[hour - 1]
        pt_hour = {"dois": "duas"}.get(pt_hour, pt_hour)
        day, month, number = self.rng.randrange(7), self.rng.randrange(12), self.number_words()
        en_day, pt_day = words.WEEKDAYS["en"][day], words.WEEKDAYS["pt"][day]
        en_month, pt_month = words.MONTHS["en"][month], words.MONTHS["pt"][month]
        date = self.rng.randint(2, 31)
        who, noun = self.subject(), self.noun("tofw")
        has = "am" if who.en == "I" else ("is" if who.person == 1 and who.en != "you" else "are")
        ages = ("tenho", "tem", "temos", "têm")[who.person]
        the = "a" if noun.gender == "f" else "o"
        years = ("years", "anos") if number.en != "one" else ("year", "ano")
        unit = ("reais", "reais") if number.en != "one" else ("real", "real")
        return self.rng.choice(
            (
                Pair(f"it is {en_hour} o'clock.", f"são {pt_hour} horas."),
                Pair(f"it is half past {en_hour}.", f"são {pt_hour} e meia."),
                Pair(f"today is {en_day}.", f"hoje é {pt_day}."),
                Pair(f"tomorrow is {en_day}.", f"amanhã é {pt_day}."),
                Pair(f"my birthday is in {en_month}.", f"meu aniversário é em {pt_month}."),
                Pair(f"today is {en_month} {date}.", f"hoje é {date} de {pt_month}."),
                Pair(f"see you on {en_day}!", f"até {pt_day}!"),
                Pair(f"{who.en} {has} {number.en} {years[0]} old.", f"{who.pt} {ages} {number.pt} {years[1]}.", direction=who.direction),
                Pair(f"the {noun.en} costs {number.en} {unit[0]}.", f"{the} {noun.pt} custa {number.pt} {unit[1]}."),
                Pair(f"how much does the {noun.en} cost?", f"quanto custa {the} {noun.pt}?"),
                Pair(f"the class starts at {en_hour} o'clock.", f"a aula começa às {pt_hour} horas."),
            )
        )  # fmt: skip

    def family(self) -> Pair:
        """Say who somebody is."""
        noun, job = self.noun("k"), self.noun("j")
        name = words.person(self.rng, self.invented)
        feminine = noun.gender == "f"
        my, the = ("minha", "a") if feminine else ("meu", "o")
        one = "uma" if job.gender == "f" else "um"
        return self.rng.choice(
            (
                Pair(f"this is my {noun.en}.", f"{'esta é' if feminine else 'este é'} {my} {noun.pt}."),
                Pair(
                    f"this is my {noun.en} {name}.",
                    f"{'esta é' if feminine else 'este é'} {my} {noun.pt} {name}.",
                ),
                Pair(f"my {noun.en} is called {name}.", f"{my} {noun.pt} se chama {name}."),
                Pair(
                    f"the name of my {noun.en} is {name}.",
                    f"o nome {after('de', my + ' ' + noun.pt)} é {name}.",
                ),
                Pair(f"{name} is {an(job.en)}.", f"{name} é {one} {job.pt}."),
                Pair(f"I have {an(noun.en)}.", f"eu tenho {'uma' if feminine else 'um'} {noun.pt}."),
                Pair(f"her {noun.en} is {an(job.en)}.", f"{the} {noun.pt} dela é {one} {job.pt}."),
                Pair(
                    f"his {noun.en} lives in {(c := words.city(self.rng, self.invented))}.",
                    f"{the} {noun.pt} dele mora em {c}.",
                ),
            )
        )

    def fixed(self) -> Pair:
        """Draw a fixed phrase."""
        en, pt, sign = self.rng.choice(phrases())
        fill = {"n": words.person(self.rng, self.invented), "c": words.city(self.rng, self.invented)}
        return Pair(en.format(**fill), pt.format(**fill), direction=sign)

    def request(self) -> Pair:
        """Ask for something."""
        what = self.thing("tfmbw", kind_of=self.rng.choice(("indefinite", "definite", "number")))
        return self.rng.choice(
            (
                Pair(f"I would like {what.en}, please.", f"eu gostaria de {what.pt}, por favor.".replace("de o ", "do ").replace("de a ", "da ")),
                Pair(f"{what.en}, please.", f"{what.pt}, por favor."),
                Pair(f"can I have {what.en}?", f"posso pedir {what.pt}?"),
                Pair(f"where is {what.en}?", f"onde está {what.pt}?") if what.person == 1 else Pair("where are they?", "onde eles estão?"),
            )
        )  # fmt: skip

    def sentence(self) -> Pair:
        """Draw any sentence, its first letter a capital."""
        ways: tuple[tuple[Callable[[], Pair], int], ...] = (
            (self.action, 34), (self.wish, 9), (self.quality, 14), (self.position, 9), (self.going, 8),
            (self.direction, 4), (self.time, 8), (self.family, 6), (self.fixed, 10), (self.request, 5),
        )  # fmt: skip
        makers, weights = zip(*ways, strict=True)
        made = self.rng.choices(makers, weights)[0]()
        return Pair(
            made.en[0].upper() + made.en[1:], made.pt[0].upper() + made.pt[1:], direction=made.direction
        )
