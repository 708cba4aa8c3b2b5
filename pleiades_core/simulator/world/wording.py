"""The words of the synthetic world: topics, titles, descriptions, tags and channel names in several scripts.

Belongs here: text from numbers, decided by those numbers alone. Does not belong here: the numbers (synthetic.py).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topic:
    """A subject that titles, tags and channels share, so that a search for its words finds its videos."""

    word: str
    category: int
    vocabulary: tuple[str, ...]


#: Words that a person would type, with YouTube's categories. The most popular topics come first.
TOPICS: tuple[Topic, ...] = (
    Topic("minecraft", 20, ("survival", "speedrun", "redstone", "hardcore")),
    Topic("music", 10, ("remix", "live session", "acoustic", "lyrics")),
    Topic("football", 17, ("highlights", "goals", "derby", "transfer")),
    Topic("cooking", 26, ("recipe", "street food", "dinner", "baking")),
    Topic("movie", 1, ("trailer", "scene", "review", "explained")),
    Topic("comedy", 23, ("sketch", "stand-up", "prank", "parody")),
    Topic("news", 25, ("today", "election", "weather", "interview")),
    Topic("science", 28, ("physics", "space", "experiment", "rockets")),
    Topic("piano", 10, ("tutorial", "sonata", "cover", "improvisation")),
    Topic("cricket", 17, ("innings", "wickets", "final", "bowling")),
    Topic("travel", 19, ("vlog", "backpacking", "night train", "islands")),
    Topic("python", 28, ("course", "project", "asyncio", "data")),
    Topic("makeup", 26, ("look", "routine", "haul", "skincare")),
    Topic("cats", 15, ("kitten", "rescue", "funny", "sleepy")),
    Topic("cars", 2, ("drift", "restoration", "electric", "test drive")),
    Topic("history", 27, ("empire", "battle", "documentary", "ruins")),
    Topic("guitar", 10, ("riff", "solo", "pedals", "lesson")),
    Topic("anime", 1, ("opening", "episode", "theory", "recap")),
    Topic("fitness", 26, ("workout", "yoga", "stretching", "strength")),
    Topic("chess", 20, ("endgame", "blitz", "gambit", "puzzle")),
    Topic("basketball", 17, ("dunks", "playoffs", "crossover", "rookie")),
    Topic("gardening", 26, ("tomatoes", "compost", "seedlings", "harvest")),
    Topic("mathematics", 27, ("proof", "geometry", "calculus", "olympiad")),
    Topic("dogs", 15, ("puppy", "training", "agility", "beach")),
    Topic("camera", 28, ("lens", "unboxing", "portrait", "timelapse")),
    Topic("charity", 29, ("fundraiser", "volunteers", "school", "water")),
    Topic("family", 22, ("day in my life", "birthday", "moving house", "twins")),
    Topic("dance", 24, ("choreography", "challenge", "battle", "audition")),
    Topic("música", 10, ("cumbia", "letra", "en vivo", "concierto")),
    Topic("fútbol", 17, ("resumen", "golazo", "clásico", "penales")),
    Topic("novela", 24, ("capítulo", "final", "avance", "escena")),
    Topic("kochen", 26, ("Rezept", "Gemüse", "Brötchen", "einfach")),
    Topic("अंतरिक्ष", 28, ("उड़ान", "चाँद", "रॉकेट", "मिशन")),
    Topic("음악", 10, ("뮤직비디오", "무대", "직캠", "커버")),
    Topic("料理", 26, ("簡単", "レシピ", "弁当", "ラーメン")),
    Topic("طبخ", 26, ("وصفة", "سهلة", "حلويات", "رمضان")),
    Topic("חדשות", 25, ("היום", "ראיון", "מבזק", "תחזית")),
    Topic("игры", 20, ("прохождение", "обзор", "стрим", "гонки")),
    Topic("berita", 25, ("hari ini", "terkini", "cuaca", "wawancara")),
    Topic("câu cá", 22, ("miền Tây", "đi chợ", "bữa trưa", "ngày mưa")),
)

#: A title's pattern and its language; None: the owner did not say.
_PATTERNS: tuple[tuple[str, str | None], ...] = (
    ("{Word} {detail} #{n}", "en"),
    ("I tried {word} for {n} days & THIS happened 😱", "en"),
    ("{detail}: why {word} isn't what you think", "en-US"),
    ('The "{detail}" of {word} <part {n}>', "en"),
    ("{Word} | {detail} | EP {n}", None),
    ("Top {n} {word} {detail} 🔥🔥", "en-GB"),
    ("¿{Word}? {detail} en {n} minutos", "es"),
    ("{Word} - {detail} für Anfänger ({n})", "de"),
    ("【{word}】{detail} 第{n}回", "ja"),
    ("{word} {detail} الحلقة {n}", "ar"),
    ("{word} {detail} ({n}화) ✨", "ko"),
    ("{Word} | {detail} | भाग {n}", "hi"),
    ("{detail} {word} n°{n} - c'est parti !", "fr"),
    ("👨\u200d👩\u200d👧 {word} {detail} {n} 🇧🇷", "pt-BR"),
)

_NAMES = ("Studio", "Daily", "Corner", "Academy", "& Friends", "TV", "Lab", "World", "Club", "O'Clock", "Stories", "Planet")


def title(topic: int, pattern: int, detail: int, number: int) -> str:
    """A title with the topic's word and one of its details.

    Args:
        topic: number of the topic.
        pattern: number of the pattern.
        detail: number of the detail.
        number: stands in the title.

    Returns:
        The title.
    """
    about = TOPICS[topic]
    word = about.word
    text, _ = _PATTERNS[pattern % len(_PATTERNS)]
    return text.format(word=word, Word=word.capitalize(), detail=about.vocabulary[detail % len(about.vocabulary)], n=number)


def language(pattern: int) -> str | None:
    """The language of a pattern's titles."""
    return _PATTERNS[pattern % len(_PATTERNS)][1]


def tags(topic: int, detail: int) -> tuple[str, ...]:
    """Three tags, or none for one detail in eight, as many owners give none."""
    about = TOPICS[topic]
    if detail % 8 == 7:  # noqa: PLR2004
        return ()
    first, second = about.vocabulary[detail % len(about.vocabulary)], about.vocabulary[(detail + 1) % len(about.vocabulary)]
    return (about.word, f"{about.word} {first}", second)


def description(topic: int, channel_title: str, number: int) -> str:
    """A description of two lines.

    Args:
        topic: number of the topic.
        channel_title: of the channel.
        number: stands in the description.

    Returns:
        The description.
    """
    about = TOPICS[topic]
    more = about.vocabulary[number % len(about.vocabulary)]
    return f"{about.word.capitalize()} by {channel_title}, no. {number}.\nMore {more} every week → subscribe!"


def channel_title(topic: int, number: int) -> str:
    """A channel's name, which holds its topic."""
    return f"{TOPICS[topic].word.capitalize()} {_NAMES[number % len(_NAMES)]} {number}"
