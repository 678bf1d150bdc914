"""Small programs that sign wrong: the kit's snippets, each with one edit. Pure.

A snippet signs a request stage by stage, in Python, bash, Node or PHP (snippets.py). An edit here
is what somebody writes who doesn't know better, and makes one of the doctor's mistakes.
"""

from __future__ import annotations

from dataclasses import dataclass

from pusherkit import snippets
from pusherkit.signing import Request

LANGUAGES = {
    "bash": snippets.bash,
    "node": snippets.node,
    "php": snippets.php,
    "python": snippets.python,
}


@dataclass(frozen=True, slots=True)
class Edit:
    """A text in a snippet, and what the broken program has in its place."""

    mistake: str
    language: str
    old: str
    new: str
    imports: str = ""
    """A module that the edit needs, in Python."""

    def applied(self, base_url: str, key: str, request: Request) -> str:
        """The broken program, which signs this request. Arguments as for the snippets.

        Raises ValueError where the language can't hold the request, or the edit has nothing to
        change in it: without a body there's no body hash to spoil.
        """
        program = LANGUAGES[self.language](base_url, key, request)
        if program.count(self.old) != 1:
            raise ValueError(f"{self.mistake}: nothing to change in this {self.language} program.")
        if self.imports:
            program = program.replace("import hashlib, ", f"import hashlib, {self.imports}, ", 1)
        return program.replace(self.old, self.new)


EDITS = (
    # Python
    Edit(
        "body-escaped-to-ascii",
        "python",
        "hashlib.md5(body).hexdigest()",
        'hashlib.md5(json.dumps(json.loads(body), separators=(",", ":")).encode()).hexdigest()',
        imports="json",
    ),
    Edit(
        "digest-by-sha256",
        "python",
        "hashlib.md5(body).hexdigest()",
        "hashlib.sha256(body).hexdigest()",
    ),
    Edit(
        "values-url-encoded",
        "python",
        'query = "&".join(f"{name}={value}" for name, value in params)',
        "query = urlencode(params)",
    ),
    Edit("newline-written-out", "python", 'canonical = "\\n".join(', 'canonical = r"\\n".join('),
    Edit("newline-as-crlf", "python", 'canonical = "\\n".join(', 'canonical = "\\r\\n".join('),
    Edit("newline-at-the-end", "python", ", query])\n# Sign", ', query, ""])\n# Sign'),
    Edit(
        "key-and-message-swapped",
        "python",
        "hmac.new(secret.encode(), canonical.encode(), ",
        "hmac.new(canonical.encode(), secret.encode(), ",
    ),
    Edit(
        "hash-of-secret-and-string",
        "python",
        "hmac.new(secret.encode(), canonical.encode(), hashlib.sha256).hexdigest()",
        "hashlib.sha256(secret.encode() + canonical.encode()).hexdigest()",
    ),
    Edit(
        "signature-in-upper-case",
        "python",
        "canonical.encode(), hashlib.sha256).hexdigest()",
        "canonical.encode(), hashlib.sha256).hexdigest().upper()",
    ),
    # bash
    Edit(
        "newline-hashed-not-sent",
        "bash",
        "BODY_MD5=$(printf '%s' \"$BODY\" | md5sum",
        'BODY_MD5=$(echo "$BODY" | md5sum',
    ),
    Edit(
        "newline-written-out",
        "bash",
        "printf -v CANONICAL '%s\\n%s\\n%s'",
        "printf -v CANONICAL '%s\\\\n%s\\\\n%s'",
    ),
    Edit(
        "newline-at-the-end",
        "bash",
        "printf '%s' \"$CANONICAL\"; }",
        'echo "$CANONICAL"; }',
    ),
    Edit(
        "secret-with-newline",
        "bash",
        "KEY=$(printf '%s' \"$PUSHER_SECRET\" | od",
        'KEY=$(echo "$PUSHER_SECRET" | od',
    ),
    Edit("newline-missing", "bash", "'%s\\n%s\\n%s'", "'%s%s%s'"),
    # Node
    Edit(
        "parameters-unsorted",
        "node",
        "params.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));\n",
        "",
    ),
    Edit(
        "values-url-encoded",
        "node",
        "params.map(([name, value]) => `${name}=${value}`).join('&')",
        "String(new URLSearchParams(params))",
    ),
    Edit(
        "signature-in-base64",
        "node",
        "update(canonical).digest('hex')",
        "update(canonical).digest('base64')",
    ),
    Edit("hmac-sha1", "node", "createHmac('sha256', secret)", "createHmac('sha1', secret)"),
    Edit("digest-in-base64", "node", "update(body).digest('hex')", "update(body).digest('base64')"),
    Edit("newline-missing", "node", "query].join('\\n')", "query].join('')"),
    Edit(
        "key-and-message-swapped",
        "node",
        "createHmac('sha256', secret).update(canonical)",
        "createHmac('sha256', canonical).update(secret)",
    ),
    Edit("two-lines-signed", "node", ", query].join('\\n')", "].join('\\n')"),
    # PHP
    Edit(
        "newline-written-out", "php", '$canonical = implode("\\n",', "$canonical = implode('\\n',"
    ),
    Edit(
        "signature-in-base64",
        "php",
        "hash_hmac('sha256', $canonical, $secret)",
        "base64_encode(hash_hmac('sha256', $canonical, $secret, true))",
    ),
    Edit(
        "hash-of-string-and-secret",
        "php",
        "hash_hmac('sha256', $canonical, $secret)",
        "hash('sha256', $canonical . $secret)",
    ),
    Edit(
        "hmac-md5",
        "php",
        "hash_hmac('sha256', $canonical, $secret)",
        "hash_hmac('md5', $canonical, $secret)",
    ),
    Edit("digest-in-upper-case", "php", "md5($body)", "strtoupper(md5($body))"),
    Edit("body-empty", "php", "md5($body)", "md5($payload ?? '')"),
    Edit(
        "question-mark-for-newline",
        "php",
        ", $query]);\n// Sign",
        " . '?' . $query]);\n// Sign",
    ),
)
