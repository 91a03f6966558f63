"""A headless Chromium over its DevTools protocol, and what pages must be on phone and desktop."""

import asyncio
import json
import os
import shutil
import subprocess
import urllib.request
from collections.abc import Iterable
from pathlib import Path

from tornado.websocket import websocket_connect

#: Names under which Chromium and its kin are installed; BROWSER_PATH names another one.
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")

#: Widths in CSS pixels.
PHONE, DESKTOP = 390, 1280

#: What is wrong with the page that is loaded, a line each.
FAULTS = r"""
(() => {
  const faults = [], wide = document.documentElement.clientWidth;
  const say = (what, e) => faults.push(what + ': <' + e.tagName.toLowerCase() + '> ' +
      (e.textContent || e.outerHTML).trim().replace(/\s+/g, ' ').slice(0, 60));
  const seen = e => e.checkVisibility({opacityProperty: true, visibilityProperty: true}) &&
      e.getClientRects().length;
  if (document.documentElement.scrollWidth > wide + 1) {
    faults.push(`page is ${document.documentElement.scrollWidth} wide, the window ${wide}`);
    for (const e of document.body.querySelectorAll('*')) {
      let scrolls = e;
      while (scrolls && !/auto|scroll|hidden|clip/.test(getComputedStyle(scrolls).overflowX))
        scrolls = scrolls.parentElement;
      if (!scrolls && seen(e) && e.getBoundingClientRect().right > wide + 1) say('sticks out', e);
    }
  }
  // Relative luminance and contrast of WCAG 2.2.
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = colour => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1); const d = canvas.getImageData(0, 0, 1, 1).data;
    return [d[0], d[1], d[2], d[3] / 255]; };
  const over = (a, b) => [0, 1, 2].map(i => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
  const light = c => { const [r, g, b] = c.slice(0, 3).map(v => v / 255).map(v =>
    v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const ground = e => { const layers = [];
    for (; e; e = e.parentElement) { const c = rgba(getComputedStyle(e).backgroundColor);
      layers.push(c); if (c[3] === 1) break; }
    const dark = matchMedia('(prefers-color-scheme: dark)').matches &&
      getComputedStyle(document.documentElement).colorScheme.includes('dark');
    return layers.reduceRight((below, c) => over(c, below), dark ? [18, 18, 18, 1] :
      [255, 255, 255, 1]); };
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), done = new Set();
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    if (!walk.currentNode.textContent.trim() || done.has(e) || !seen(e)) continue;
    done.add(e);
    if (e.closest('script, style, noscript, title, [aria-hidden="true"], .headerlink')) continue;
    const style = getComputedStyle(e), under = ground(e);
    const ink = over(rgba(e.closest('svg') ? style.fill : style.color), under);
    const [high, low] = [light(ink), light(under)].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05), size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    if (ratio < (large ? 3 : 4.5)) say(`contrast ${ratio.toFixed(2)}`, e);
  }
  const heads = [...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].filter(seen);
  if (heads.filter(h => h.tagName === 'H1').length !== 1) faults.push('not one h1');
  heads.forEach((h, i) => { if (i && +h.tagName[1] > +heads[i - 1].tagName[1] + 1)
    say('heading skips a level', h); });
  if (!document.documentElement.lang) faults.push('no language');
  if (!document.querySelector('meta[name=viewport]')) faults.push('no viewport');
  if (!document.title) faults.push('no title');
  for (const e of document.querySelectorAll('a[href], button')) if (seen(e) &&
    !(e.textContent.trim() || e.getAttribute('aria-label') || e.title)) say('no name', e);
  for (const e of document.querySelectorAll('img, svg[role=img]')) if (
    !e.getAttribute('alt') && !e.getAttribute('aria-label')) say('no text beside', e);
  for (const each of performance.getEntriesByType('resource')) if (
    !/^(file|data|blob):/.test(each.name)) faults.push('fetches ' + each.name);
  return faults;
})()
"""


def executable() -> str | None:
    """Of a Chromium, or None."""
    named = os.environ.get("BROWSER_PATH")
    return named or next(filter(None, map(shutil.which, NAMES)), None)


def faults(pages: Iterable[Path], profile: Path) -> dict[str, list[str]]:
    """What is wrong, for every page, width and colour scheme in which something is; ``profile`` is
    an empty folder for the browser."""
    browser = executable()
    assert browser
    process = subprocess.Popen(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0",
         "--no-first-run", "--allow-file-access-from-files", f"--user-data-dir={profile}",
         "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        return asyncio.run(_visit(list(pages), profile))
    finally:
        process.terminate()
        process.wait(30)


async def _visit(pages: list[Path], profile: Path) -> dict[str, list[str]]:
    announced = profile / "DevToolsActivePort"
    for _ in range(600):
        if announced.exists() and "\n" in announced.read_text():
            break
        await asyncio.sleep(0.1)
    port = announced.read_text().split("\n")[0]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list") as answer:
        target = next(each for each in json.load(answer) if each["type"] == "page")
    socket = await websocket_connect(target["webSocketDebuggerUrl"], max_message_size=1 << 26)
    number = 0

    async def call(method: str, **parameters):
        nonlocal number
        number += 1
        await socket.write_message(json.dumps(
            {"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(await socket.read_message())
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]

    async def evaluate(code: str):
        return (await call("Runtime.evaluate", expression=code, returnByValue=True))["result"].get(
            "value")

    # A page may remember the scheme that it was first seen in.
    await call("Page.addScriptToEvaluateOnNewDocument",
               source="try { localStorage.clear() } catch {}")
    found = {}
    for page in pages:
        for width, scheme in ((PHONE, "light"), (DESKTOP, "dark")):
            await call("Emulation.setDeviceMetricsOverride", width=width, height=900,
                       deviceScaleFactor=1, mobile=width == PHONE)
            await call("Emulation.setEmulatedMedia", features=[
                {"name": "prefers-color-scheme", "value": scheme},
                {"name": "prefers-reduced-motion", "value": "reduce"}])
            await call("Page.navigate", url=page.as_uri())
            for _ in range(300):
                if await evaluate("document.readyState") == "complete" and (
                        await evaluate("location.href")).startswith(page.as_uri()):
                    break
                await asyncio.sleep(0.1)
            if wrong := await evaluate(FAULTS):
                found[f"{page.name} at {width}, {scheme}"] = wrong
    socket.close()
    return found
