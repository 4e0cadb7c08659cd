"""HTML pages for the tests: what a real browser makes of them, and that they fetch nothing."""

import base64
import hashlib
import re
import subprocess
from pathlib import Path


def shown(browser: str, path: Path) -> tuple[str, str]:
    """What a page has become after a few seconds, and what its console said."""
    flags = "--headless --no-sandbox --disable-gpu --disable-background-networking --dump-dom --enable-logging=stderr"
    words = [browser, *flags.split(), f"--user-data-dir={path.parent / 'profile'}", "--virtual-time-budget=5000"]
    done = subprocess.run([*words, path.as_uri()], capture_output=True, text=True, timeout=120)
    return done.stdout, "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)


def assert_alone(page: str) -> None:
    """A page has one script and one style, which its policy names, and fetches nothing."""
    policy = re.search(r'Content-Security-Policy" content="(.*?)"', page).group(1)
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    for tag in ("script", "style"):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, flags=re.DOTALL)
        assert f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" in policy
    outside = re.sub(r"<td.*?</td>|<pre>.*?</pre>|<script.*?</script>", "", page, flags=re.DOTALL)
    assert not re.findall(r"(?:src|href|action|style)=|@import|url\(", outside)
    assert "http" not in outside.replace('http-equiv="Content', "")
