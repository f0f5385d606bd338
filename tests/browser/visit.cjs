// visit.cjs OUT PAGE...: open pages in headless Chromium as readers do and say what was found, as JSON on stdout.
// puppeteer-core and axe-core come from the folder in IMPACT_BROWSER_MODULES, else from node_modules of the working
// directory; the browser from IMPACT_CHROMIUM. The pages keep their own Content-Security-Policy: nothing is bypassed.
"use strict";
const { spawnSync } = require("child_process");
const fs = require("fs");
const path = require("path");
const { pathToFileURL } = require("url");

const modules = path.resolve(process.env.IMPACT_BROWSER_MODULES || "node_modules");
const puppeteer = require(path.join(modules, "puppeteer-core"));
const axeSource = fs.readFileSync(path.join(modules, "axe-core", "axe.min.js"), "utf8");
const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];
const A4_WIDTH = 680; // 180 mm between the margins, in CSS pixels
const PAPER = { format: "A4", preferCSSPageSize: true };
const PHONE = { width: 390, height: 844, isMobile: true };
const DESKTOP = { width: 1280, height: 900 };

// Runs in the page. Elements that reach past the right edge or hide part of themselves; those that scroll are allowed
// where `mayScroll`, since a frame of its own may be moved by finger and keyboard.
function findCut(width, mayScroll) {
  const found = [];
  const scrolls = (e) => ["auto", "scroll"].includes(getComputedStyle(e).overflowX);
  for (const e of document.body.querySelectorAll("*")) {
    if (!e.checkVisibility() || e.closest(".skip, .unseen")) continue;
    const isInside = mayScroll && [...ancestors(e)].some(scrolls);
    const box = e.getBoundingClientRect();
    if (!isInside && (box.right > width + 1 || box.left < -1)) found.push(`${name(e)} reaches ${Math.round(box.right)}`);
    const hides = getComputedStyle(e).overflowX !== "visible" && e.scrollWidth > e.clientWidth + 1;
    if (hides && !(mayScroll && scrolls(e))) found.push(`${name(e)} hides part of itself`);
  }
  return found.slice(0, 5);

  function* ancestors(e) {
    for (let p = e.parentElement; p; p = p.parentElement) yield p;
  }
  function name(e) {
    return e.tagName.toLowerCase() + (e.id ? `#${e.id}` : e.className ? `.${e.className}` : "");
  }
}

// Runs in the page. What a reader meets.
function readPage() {
  const text = (e) => e.textContent.trim();
  return {
    policy: document.querySelector('meta[http-equiv="Content-Security-Policy"]')?.content ?? "",
    scripts: document.scripts.length,
    undescribed: [...document.images].filter((i) => !(i.getAttribute("alt") || "").trim()).length,
    unseen: [...document.images].filter((i) => !i.complete || i.naturalWidth === 0).length,
    images: document.images.length,
    titles: [document.title],
    tables: document.querySelectorAll("table").length,
    cells: [...document.querySelectorAll("th, td")].map(text),
    text: document.body.innerText,
    elements: [...new Set([...document.querySelectorAll("*")].map((e) => e.tagName.toLowerCase()))],
    brokenAnchors: [...document.querySelectorAll('a[href^="#"]')].filter(
      (a) => !document.getElementById(decodeURIComponent(a.hash.slice(1)))).map((a) => a.hash),
  };
}

// Runs in the page. Frames that can be scrolled: how a keyboard and a screen reader find them, and whether their style
// draws a cue; figures: the size at which their smallest label is shown, in px.
function readFrames() {
  const frames = [...document.querySelectorAll("main *")].filter(
    (e) => e.checkVisibility() && e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX === "auto");
  const name = (e) => e.firstElementChild?.id || e.parentElement.id || e.className || e.tagName.toLowerCase();
  const isFrame = (e) => e.matches(".table-frame");
  const smallest = (svg) => Math.min(...[...svg.querySelectorAll("text")].map((t) => Number(t.getAttribute("font-size"))))
    * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
  const first = document.querySelector("main .screen-table, main .table-frame");
  const stacked = document.querySelector("main .table-frame.stack");
  return {
    tables: frames.filter((e) => e.matches(".table-frame")).map(name),
    unreachable: frames.filter((e) => isFrame(e) && !(e.tabIndex === 0 && e.ariaLabel && e.role)).map(name),
    uncued: frames.filter((e) => isFrame(e) && !/local.*scroll/.test(getComputedStyle(e).backgroundAttachment)).map(name),
    labels: [...document.querySelectorAll("main figure svg")].filter((i) => i.checkVisibility()).map(smallest),
    firstScrolls: frames.includes(first),
    firstUnlabelled: stacked ? [...stacked.querySelectorAll("tbody td")].filter(
      (d) => !getComputedStyle(d, "::before").content.startsWith(
        `"${stacked.querySelector("thead tr").cells[d.cellIndex].textContent}"`)).length : 0,
  };
}

// How many of each part of a table a screen reader is told of.
async function countParts(page) {
  const { nodes } = await (await page.createCDPSession()).send("Accessibility.getFullAXTree");
  const counts = {};
  for (const node of nodes) {
    const role = node.ignored ? "" : node.role?.value;
    if (["table", "row", "cell", "rowheader", "columnheader"].includes(role)) counts[role] = (counts[role] || 0) + 1;
  }
  return counts;
}

// Pictures of the strip along the right edge of the first frame that scrolls, before and after it was scrolled to its
// end: a cue is seen only if the two differ in brightness.
async function photographEdge(page, kind) {
  const box = await page.evaluate((kind) => {
    const frame = [...document.querySelectorAll(kind)].find((e) => e.checkVisibility() && e.scrollWidth > e.clientWidth + 1);
    if (!frame) return null;
    frame.dataset.measured = kind;
    const b = frame.getBoundingClientRect();
    return { x: b.right + scrollX - 3, y: b.top + scrollY, width: 2, height: Math.min(b.height, 600) };
  }, kind);
  if (!box) return null;
  const look = async (left) => {
    await page.evaluate((kind, left) => { document.querySelector(`[data-measured="${kind}"]`).scrollLeft = left; }, kind, left);
    return page.screenshot({ clip: box, encoding: "base64" });
  };
  return { start: await look(0), end: await look(100000) };
}

// Runs in an empty page. Mean brightness of a PNG, 0 to 255.
async function measureBrightness(data) {
  const image = new Image();
  image.src = `data:image/png;base64,${data}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.width, image.height];
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const pixels = context.getImageData(0, 0, image.width, image.height).data.filter((_, i) => i % 4 < 3);
  return pixels.reduce((a, b) => a + b, 0) / pixels.length;
}

// Runs in the page. A mark of its own before and after each caption, in each head and in each row, so that the printed
// sheets say on which of them each landed.
function markTables() {
  const captioned = [...document.querySelectorAll("main table")].filter((table) => table.caption && table.tHead);
  return captioned.map((table, k) => {
    const mark = (element, part, isLast = false) => {
      const span = document.createElement("span");
      span.textContent = `Q${k}${part}Q`;
      span.style.cssText = "position:absolute;font:4px monospace";
      element[isLast ? "append" : "prepend"](span);
      return span.textContent;
    };
    const caption = table.caption.firstElementChild ?? table.caption;
    const isUnseen = table.caption.matches(".unseen"); // for screen readers only: no sheet holds it
    return {
      name: table.id || table.caption.textContent.slice(0, 30),
      start: [
        ...(isUnseen ? [] : [mark(caption, "a"), mark(caption, "b", true)]), mark(table.tHead.rows[0].cells[1], "h"),
      ],
      rows: [...table.tBodies[0].rows].map((row, i) => mark(row.cells[0], `r${i}x`)),
    };
  });
}

// Tables whose caption, head and first two rows stand on different sheets, or whose last row stands alone; and sheets
// without their number. Null where poppler is not installed.
async function readSheets(page, pdf) {
  const tables = await page.evaluate(markTables);
  await page.pdf({ path: pdf, ...PAPER });
  const read = spawnSync("pdftotext", ["-raw", pdf, "-"], { encoding: "utf8" });
  if (read.error) return null;
  const sheets = read.stdout.split("\f").slice(0, -1);
  const sheetOf = (mark) => sheets.findIndex((s) => s.includes(mark));
  const torn = [];
  for (const { name, start, rows } of tables) {
    const together = [...start, ...rows.slice(0, 2)].map(sheetOf);
    const last = rows.slice(-2).map(sheetOf);
    if (new Set(together).size > 1 || together[0] < 0) torn.push(`${name}: begins on sheets ${together}`);
    if (new Set(last).size > 1) torn.push(`${name}: the last row stands alone on sheet ${last.at(-1)}`);
  }
  const unnumbered = sheets.map((s, k) => [s, k + 1]).filter(([s, k]) => !s.includes(`${k} / ${sheets.length}`));
  return { torn, unnumbered: unnumbered.map(([, k]) => k) };
}

async function axe(page) {
  // axe gives up on contrast over a gradient: the cues of the frames are taken away while it looks
  await page.evaluate(() => document.querySelectorAll(".table-frame").forEach((e) => { e.style.background = "none"; }));
  const result = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  await page.evaluate(() => document.querySelectorAll(".table-frame").forEach((e) => e.removeAttribute("style")));
  return result.violations.filter((v) => ["serious", "critical"].includes(v.impact))
    .map((v) => `${v.id}: ${v.nodes.slice(0, 2).map((n) => n.target.join(" ")).join(", ")}`);
}

async function visit(browser, file, out) {
  const address = pathToFileURL(path.resolve(file)).href;
  const page = await browser.newPage();
  const requests = [], errors = [];
  await page.setRequestInterception(true);
  page.on("request", (r) => {
    if (r.url().split("#")[0] === address || r.url().startsWith("data:")) return r.continue();
    requests.push(r.url());
    return r.abort();
  });
  page.on("pageerror", (e) => errors.push(String(e)));
  page.on("console", (m) => { if (["error", "warn"].includes(m.type())) errors.push(m.text()); });
  await page.setViewport(DESKTOP);
  await page.goto(address, { waitUntil: "load", timeout: 60000 });
  const seen = await page.evaluate(readPage);
  seen.requests = [...requests];
  seen.errors = [...errors]; // before axe is brought in from outside
  await page.evaluate(axeSource);
  seen.axeLight = await axe(page);
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "dark" }]);
  seen.axeDark = await axe(page);
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "light" }]);
  seen.cutOnDesktop = await page.evaluate(findCut, DESKTOP.width, false);
  const parts = await countParts(page);
  await page.setViewport(PHONE); // loads the page anew
  await page.evaluate(axeSource);
  seen.axePhone = await axe(page);
  seen.parts = { desktop: parts, phone: await countParts(page) };
  seen.frames = await page.evaluate(readFrames);
  const edges = {};
  for (const scheme of ["light", "dark"]) {
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    for (const kind of [".table-frame"]) edges[`${scheme} ${kind}`] = await photographEdge(page, kind);
  }
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "light" }]);
  seen.overflow = Math.max(0, (await page.evaluate(() => document.documentElement.scrollWidth)) - PHONE.width);
  seen.cutOnPhone = await page.evaluate(findCut, PHONE.width, true);
  await page.setViewport({ width: A4_WIDTH, height: 1000 });
  await page.emulateMediaType("print");
  seen.cutInPrint = await page.evaluate(findCut, A4_WIDTH, false);
  seen.hiddenInPrint = await page.evaluate(() => [...document.querySelectorAll("main table")].filter(
    (t) => !t.checkVisibility()).map((t) => t.id));
  seen.shownInPrint = await page.evaluate(() => [...document.querySelectorAll(".contents, .skip, details.code")].filter(
    (e) => e.checkVisibility()).map((e) => e.className));
  await page.emulateMediaType(null);
  const pdf = path.join(out, `${path.basename(path.dirname(file))}.pdf`);
  await page.pdf({ path: pdf, ...PAPER });
  seen.pdf = fs.readFileSync(pdf).subarray(0, 5).toString("latin1");
  await page.setViewport(DESKTOP);
  seen.sheets = await readSheets(page, pdf);
  await page.close();
  const reader = await browser.newPage();
  seen.cues = {};
  for (const [where, edge] of Object.entries(edges).filter(([, e]) => e)) {
    seen.cues[where] = {
      start: await reader.evaluate(measureBrightness, edge.start), end: await reader.evaluate(measureBrightness, edge.end),
    };
  }
  await reader.close();
  return seen;
}

(async () => {
  const [out, ...files] = process.argv.slice(2);
  const browser = await puppeteer.launch({
    executablePath: process.env.IMPACT_CHROMIUM || "/usr/bin/chromium", headless: true, args: FLAGS,
  });
  try {
    const found = {};
    for (const file of files) found[file] = await visit(browser, file, out);
    process.stdout.write(JSON.stringify(found));
  } finally {
    await browser.close();
  }
})().catch((error) => {
  process.stderr.write(`visit: ${error.stack || error}\n`);
  process.exit(1);
});
