"""Pages as a browser without scripts reads them."""

import re
from html import unescape
from typing import Any

import httpx


def form_with(page: httpx.Response, text: str = "") -> tuple[str, dict[str, str]]:
    """Return where a form of a page is sent, and its hidden fields: the first that has a text."""
    assert page.status_code == 200, page.text
    forms = re.findall(r'<form[^>]* action="([^"]+)"[^>]*>(.*?)</form>', page.text, re.DOTALL)
    action, body = next(one for one in forms if text in one[1])
    hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', body)
    return action, {name: unescape(value) for name, value in hidden}


def submit(
    browser: httpx.Client, page: httpx.Response, text: str = "", **fields: Any
) -> httpx.Response:
    """Fill such a form and send it."""
    action, hidden = form_with(page, text)
    return browser.post(action, data={**hidden, **fields})
