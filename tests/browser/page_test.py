#!/usr/bin/env python3
"""Opens a report in headless Chromium: no console message, no request, every plot drawn, links reach their rows.

page_test.py VIVA MODEL    needs chromium and Python's own library; tools/test --browser runs it
"""
import base64
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading

PLOTS = ["recall-plot", "confusion", "loss-plot", "reliability", "robustness-plot"]
EVIL = "<script>document.title='broken'</script><img src=x onerror=alert(1)>"


class Browser:
    """Chromium over its debugging pipe: file descriptors 3 (to it) and 4 (from it), messages end in NUL."""

    def __init__(self, folder):
        to_read, self.to = os.pipe()
        self.back, back_write = os.pipe()
        program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        if not program:
            sys.exit("page_test: no chromium: tools/setup --browser installs it")
        words = [program, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run",
                 "--disable-extensions", "--disable-background-networking", f"--user-data-dir={folder}", "about:blank"]
        # The pipe's ends must be 3 and 4 in the browser: a shell moves them there.
        shell = f"exec 3<&{to_read} 4>&{back_write}; exec \"$@\""
        self.process = subprocess.Popen(["bash", "-c", shell, "bash", *words], pass_fds=[to_read, back_write],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_read), os.close(back_write)
        self.number, self.rest, self.events, self.session = 0, b"", [], None
        self.watch = threading.Timer(240, self.process.kill)
        self.watch.start()

    def message(self):
        while b"\0" not in self.rest:
            more = os.read(self.back, 1 << 20)
            if not more:
                sys.exit("page_test: chromium ended")
            self.rest += more
        text, self.rest = self.rest.split(b"\0", 1)
        return json.loads(text)

    def call(self, method, **params):
        self.number += 1
        request = {"id": self.number, "method": method, "params": params}
        if self.session:
            request["sessionId"] = self.session
        os.write(self.to, json.dumps(request).encode() + b"\0")
        while True:
            m = self.message()
            if m.get("id") == self.number:
                if "error" in m:
                    raise RuntimeError(f"{method}: {m['error']}")
                return m["result"]
            self.events.append(m)

    def until(self, event):
        while not any(e.get("method") == event for e in self.events):
            self.events.append(self.message())

    def open(self, path):
        if self.session:
            self.session = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.events = []
        for domain in ["Page", "Runtime", "Log", "Network", "DOM"]:
            self.call(f"{domain}.enable")
        self.call("Page.navigate", url=pathlib.Path(path).resolve().as_uri())
        self.until("Page.loadEventFired")

    def value(self, script):
        r = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in r:
            raise RuntimeError(f"{script}: {r['exceptionDetails']}")
        return r["result"].get("value")

    def key(self, name):
        for kind in ["keyDown", "keyUp"]:
            self.call("Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=9 if name == "Tab" else 13)

    def close(self):
        self.watch.cancel()
        self.process.terminate()
        self.process.wait()


DRAWN = """[...document.querySelectorAll('svg.plot')].map(s => {
  const outer = s.getBoundingClientRect(), box = s.getBBox(), marks = [...s.querySelectorAll('.mark')];
  const inside = marks.every(m => { const b = m.getBoundingClientRect();
    return b.width + b.height > 0 && b.left >= outer.left - 8 && b.right <= outer.right + 8 && b.top >= outer.top - 8 && b.bottom <= outer.bottom + 8; });
  return { id: s.id, wide: outer.width, high: outer.height, area: box.width * box.height, marks: marks.length, inside,
           named: marks.every(m => m.getAttribute('aria-label').length > 3),
           title: s.querySelector('title').textContent, desc: s.querySelector('desc').textContent,
           caption: [...s.closest('figure').querySelectorAll('figcaption b')].map(b => b.textContent).join(' '),
           rows: s.closest('figure').querySelectorAll('details table tbody tr').length }; })"""
DANGLING = """[...document.querySelectorAll('a[href]')].map(a => a.getAttribute('href'))
  .filter(h => !h.startsWith('#') || !document.getElementById(h.slice(1)))"""


def faults_at_rest(b):
    """What is wrong with the page as it opened."""
    faults = []
    for e in b.events:
        method, p = e.get("method"), e.get("params", {})
        if method in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded", "Page.javascriptDialogOpening"):
            faults.append(f"console: {json.dumps(p)[:200]}")
        if method == "Network.requestWillBeSent" and not p["request"]["url"].startswith("data:") and p.get("type") != "Document":
            faults.append(f"request: {p['request']['url'][:200]}")
    plots = b.value(DRAWN)
    if [p["id"] for p in plots] != PLOTS:
        faults.append(f"plots: {[p['id'] for p in plots]}")
    for p in plots:
        good = p["wide"] > 200 and p["high"] > 100 and p["area"] > 1e4 and p["marks"] >= 4 and p["inside"] and p["named"] and p["rows"] > 1
        good = good and p["title"] and p["desc"]
        good = good and all(part in p["caption"] for part in ["Figure", "n:", "Unit:", "Interval:", "To read it:", "Not shown:"])
        if not good:
            faults.append(f"not drawn: {p}")
    dangling = b.value(DANGLING)
    if dangling:
        faults.append(f"links to nothing: {dangling[:5]}")
    if b.value("document.querySelectorAll('script').length") != 1 or b.value("document.title") == "broken":
        faults.append("a script that is not the page's")
    if b.value("document.querySelectorAll('ul.tiles img').length") < 12:
        faults.append("errors without images")
    if b.value("[...document.images].some(i => !i.complete || i.naturalWidth === 0)"):
        faults.append("an image that is none")
    return faults


def faults_in_use(b):
    """What is wrong when somebody uses it."""
    faults = []

    def expect(what, script):
        if not b.value(script):
            faults.append(what)

    b.value("document.documentElement.style.scrollBehavior = 'auto'")
    b.value("document.querySelector('#loss-plot a').dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true }))")
    expect("a mark leads to its row", "location.hash.startsWith('#row-data-')")
    b.value("document.querySelector('ul.tiles a').click()")
    expect("an error leads to its row", "(async () => { await new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)));"
           " const r = document.querySelector(location.hash).getBoundingClientRect();"
           " return r.bottom > 0 && r.top < innerHeight; })()")
    expect("tables sort", """(() => { const t = [...document.querySelectorAll('table.data')].find(t => t.querySelector('td.num') && t.tBodies[0].rows.length > 3);
      const column = [...t.tBodies[0].rows[0].cells].findIndex(c => c.dataset.value !== undefined), head = t.tHead.rows[0].cells[column];
      const values = () => [...t.tBodies[0].rows].map(r => Number(r.cells[column].dataset.value));
      const sorted = (v, sign) => v.every((x, i) => i === 0 || sign * (x - v[i - 1]) >= 0);
      head.querySelector('button').click(); const up = sorted(values(), 1) && head.getAttribute('aria-sort') === 'ascending';
      head.querySelector('button').click(); return up && sorted(values(), -1); })()""")
    expect("LaTeX is copied", """(async () => { let text = ''; navigator.clipboard.writeText = async (t) => { text = t; };
      document.querySelectorAll('.tools button')[1].click(); await new Promise(r => setTimeout(r, 50));
      return text.startsWith('\\\\begin{tabular}') && text.includes('\\\\toprule') && text.endsWith('\\\\end{tabular}\\n'); })()""")
    expect("CSV is given", """(async () => { let blob; URL.createObjectURL = (b) => { blob = b; return 'blob:x'; };
      HTMLAnchorElement.prototype.click = () => {}; document.querySelector('.tools button').click();
      return blob && (await blob.text()).split('\\r\\n').length > 2; })()""")
    expect("a mark says what it is", """(() => { const m = document.querySelector('#reliability .mark'), r = m.getBoundingClientRect();
      m.dispatchEvent(new PointerEvent('pointermove', { clientX: r.left, clientY: r.top, bubbles: true }));
      const t = document.querySelector('.tip'); return !t.hidden && /n = |rows of confidence/.test(t.textContent); })()""")
    b.value("scrollTo(0, 0), location.hash = '', document.activeElement.blur()")
    b.key("Tab")
    expect("the keyboard reaches the skip link first", "document.activeElement.className === 'skip'")
    light = b.value("getComputedStyle(document.body).backgroundColor")
    b.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    if b.value("getComputedStyle(document.body).backgroundColor") == light:
        faults.append("dark is light")
    b.call("Emulation.setEmulatedMedia", features=[])
    b.call("Emulation.setDeviceMetricsOverride", width=390, height=800, deviceScaleFactor=2, mobile=True)
    expect("a phone need not scroll sideways", "document.documentElement.scrollWidth <= 390")
    b.call("Emulation.clearDeviceMetricsOverride")
    if len(base64.b64decode(b.call("Page.printToPDF")["data"])) < 20000:
        faults.append("print is empty")
    return faults


def examine(viva, model, folder):
    names = folder / "names"
    names.write_text("".join(f"class {k}\n" for k in range(9)) + EVIL + "\n")
    command = [viva, "examine", model, "--data", "fashion-mnist", "--classes", names, "--rows", "50", "--claim",
               "risk.accuracy >= 0.90", "--out", folder / "report", "--ledger", folder / "ledger.jsonl"]
    r = subprocess.run(command, capture_output=True, text=True)
    if r.returncode != 0:
        sys.exit(f"page_test: viva examine ended with {r.returncode}: {r.stderr}")
    return folder / "report/report.html"


def main():
    viva, model = sys.argv[1:]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        page = examine(viva, model, folder)
        text = page.read_text()
        assert len(text) < 5 << 20, len(text)
        b = Browser(folder / "profile")
        try:
            b.open(page)
            faults = faults_at_rest(b) + faults_in_use(b)
            # The same without scripts: all is there but the tools.
            b.call("Emulation.setScriptExecutionDisabled", value=True)
            b.open(page)
            root = b.call("DOM.getDocument")["root"]["nodeId"]
            plots = b.call("DOM.querySelectorAll", nodeId=root, selector="svg.plot .mark")["nodeIds"]
            if len(plots) < 50:
                faults.append(f"without scripts: {len(plots)} marks")
            # Pages that are broken in one way each are found to be.
            broken = {"request": text.replace("<main>", "<main><img src='https://example.org/x.png'>", 1).replace("img-src data:", "img-src *"),
                      "console": text.replace("</main>", "</main><script>1</script>", 1),
                      "not drawn": text.replace('class="mark"', 'class="gone"'),
                      "plots": text.replace('id="reliability"', 'id="other"', 1),
                      "links to nothing": text.replace('id="row-data-', 'id="line-data-', 1)}
            for what, html in broken.items():
                (folder / "broken.html").write_text(html)
                b.open(folder / "broken.html")
                if not any(f.startswith(what) for f in faults_at_rest(b)):
                    faults.append(f"a page with '{what}' passed")
        finally:
            b.close()
    for f in faults:
        print(f"page_test: {f}")
    print(f"{len(PLOTS)} plots, {len(broken)} broken pages; {len(faults)} faults")
    sys.exit(1 if faults else 0)


main()
