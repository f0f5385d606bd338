// visit.cjs OUT PAGE...: open pages in headless Chromium as readers do and say what was found, as JSON on stdout.
// puppeteer-core and axe-core come from the folder in IMPACT_BROWSER_MODULES, else from node_modules of the working
// directory; the browser from IMPACT_CHROMIUM. The pages keep their own Content-Security-Policy: nothing is bypassed.
"use strict";
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
const PHONE = { width: 390, height: 844, isMobile: true };
const DESKTOP = { width: 1280, height: 900 };

// Runs in the page. Elements that reach past the right edge or hide part of themselves; those that scroll are allowed
// where `mayScroll`, since a frame of its own may be moved by finger and keyboard.
function findCut(width, mayScroll) {
  const found = [];
  const scrolls = (e) => ["auto", "scroll"].includes(getComputedStyle(e).overflowX);
  for (const e of document.body.querySelectorAll("*")) {
    if (!e.checkVisibility() || e.closest(".skip")) continue;
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

async function axe(page) {
  const result = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
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
  await page.setViewport(PHONE);
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
  await page.pdf({ path: pdf, format: "A4", preferCSSPageSize: true });
  seen.pdf = fs.readFileSync(pdf).subarray(0, 5).toString("latin1");
  await page.close();
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
