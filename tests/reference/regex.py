#!/usr/bin/env python3
"""Write tests/base/regex_vectors.h: expressions, texts, and whether Python's re finds that all of the text matches.

    regex.py tests/base/regex_vectors.h

Only what re and RE2 understand alike. Needs nothing beside Python.
"""

import platform
import re
import sys

CASES = [
    ("", ["", "a"]),
    ("abc", ["abc", "ab", "abcd", ""]),
    ("a|b|cd", ["a", "b", "cd", "c", "acd"]),
    ("(a|)(b|c?)d", ["d", "ad", "abd", "acd", "bcd"]),
    ("a*", ["", "aaaa", "aab"]),
    ("(a*)*b", ["b", "aab", "aaa"]),
    ("(a|b)+?c", ["c", "abac", "abab"]),
    ("x?y??", ["", "x", "y", "xy", "yx"]),
    ("a{3}", ["aa", "aaa", "aaaa"]),
    ("a{2,}b", ["ab", "aab", "aaaaab"]),
    ("(ab|c){1,3}", ["", "ab", "cab", "cabcab", "cabc"]),
    ("a{0,2}a{0}", ["", "aa", "aaa"]),
    ("(x(ab){2}|y){2}", ["xababy", "yxabab", "xaby", "yy"]),
    ("[a-c]x[^a-c]", ["axd", "bxa", "dxd"]),
    ("[]a]+[^]]", ["]a]b", "a]"]),
    ("[a-]+", ["a-a", "b"]),
    (r"\d+\D\s\S\w\W", ["12a b_!", "1!\tx-c", "12"]),
    (r"[\d.]+[^\s]", ["1.5x", "1.5 ", "x"]),
    (r"\.\*\\\[", [".*\\[", "a"]),
    (r"a.c", ["abc", "a\nc", "a\u00e9c", "ac"]),
    (r"(?s)a.c", ["a\nc"]),
    (r"(?s:a.)c.", ["a\ncd", "a\nc\n"]),
    (r"(?i)aBc[d-f]", ["AbCE", "abcg"]),
    (r"(?i:a)b", ["Ab", "AB"]),
    (r"a^b", ["ab"]),
    (r"^a$", ["a", "a\n"]),
    (r"(?m)^a$\n^b$", ["a\nb", "ab"]),
    (r"\bfoo\b.*", ["foo bar", "foobar"]),
    (r"\Bfoo|a\Bb", ["foo", "ab"]),
    (r"\Aa\x41\t", ["aA\t", "aA"]),
    (r"(?P<year>\d{4})-(?:\d\d)", ["2024-01", "24-01"]),
    ("\u00e9+[\u00e0-\u00ff]", ["\u00e9\u00e9\u00ea", "\u00e9e"]),
    ("[^a]", ["\u4e2d", "\U0001f600", "a"]),
    (r"(\w+)@([\w.]+)\.(com|org)", ["a@b.com", "a.b@c.org", "a@b.c.org", "a@b"]),
    (r"(((a{0,3}){0,3}){0,3})b", ["a" * 27 + "b", "a" * 28 + "b", "aab", "a"]),
    ("(a|aa|aaa|aaaa)*b", ["a" * 20 + "b", "a" * 8]),
]
ERRORS = ["(", ")", "a)", "(a", "[a", "[b-a]", "*", "a**", "a{3,2}", "\\", "(?<", "(?z)", "\\y", "a{2}{3}", "(?P<n", "|*"]


def text(value):
    return '"' + "".join(chr(b) if 32 <= b < 127 and b not in b'"\\?' else f"\\{b:03o}" for b in value.encode()) + '"'


def main():
    with open(sys.argv[1], "w") as file:
        file.write("/* regex_vectors.h - expression, text, and whether all of it matches: by Python's re "
                   f"{platform.python_version()}, written by\n * tests/reference/regex.py. */\n"
                   "static const struct {\n    const char *pattern, *text;\n    bool matches;\n} cases[] = {\n")
        for pattern, texts in CASES:
            for one in texts:
                found = re.fullmatch(pattern, one) is not None
                file.write(f"    {{{text(pattern)}, {text(one)}, {'true' if found else 'false'}}},\n")
        file.write("};\n\n/* What is no expression. */\nstatic const char *const errors[] = {\n")
        for pattern in ERRORS:
            try:
                re.compile(pattern)
                sys.exit(f"{pattern!r} is one")
            except re.error:
                file.write(f"    {text(pattern)},\n")
        file.write("};\n")


if __name__ == "__main__":
    main()
