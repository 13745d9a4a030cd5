// Looks at pages of the Web UI in a real browser. Usage: node webui.mjs PLAN.json, where the plan is
//   {"browser": path, "profile": empty folder, "patience": ms, "pages": [{"url", "texts": [...], "screenshot": path}]}
// For each page it waits until every text is rendered, then takes the screenshot if one is asked for. Prints one line
// for each page; exits 1, with what the page did say, when a text does not appear.
import { readFile } from "node:fs/promises";
import { chromium } from "playwright-core";

const plan = JSON.parse(await readFile(process.argv[2], "utf8"));
const settle = 1_500; // milliseconds that fonts, icons and animations take after the text is there

// rendered is the text that a person sees, white space folded: that of the page, and of the frames in which the Web UI
// renders summaries and details.
async function rendered(page) {
  const texts = await Promise.all(page.frames().map((frame) =>
    frame.evaluate(() => document.body.innerText).catch(() => ""))); // a frame may go away meanwhile
  return texts.join(" ").replace(/\s+/g, " ");
}

async function missing(page, texts) {
  const text = await rendered(page);
  return texts.filter((wanted) => !text.includes(wanted));
}

async function look(page, { url, texts, screenshot }) {
  await page.goto(url, { waitUntil: "domcontentloaded" });
  const deadline = Date.now() + plan.patience;
  let lacking = texts;
  while ((lacking = await missing(page, texts)).length > 0 && Date.now() < deadline) {
    await page.waitForTimeout(200);
  }
  if (lacking.length > 0) {
    console.log(`WRONG  ${url}\n  lacks ${JSON.stringify(lacking)}\n  shows ${await rendered(page)}`);
    return false;
  }
  if (screenshot) {
    await page.waitForTimeout(settle);
    await page.screenshot({ path: screenshot });
  }
  console.log(`ok  ${url}: ${texts.length} texts`);
  return true;
}

const browser = await chromium.launchPersistentContext(plan.profile, {
  executablePath: plan.browser,
  viewport: { width: 1400, height: 1380 }, // room for a whole timeline
  args: ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
let allRight = true;
try {
  const page = browser.pages()[0] ?? await browser.newPage();
  for (const wanted of plan.pages) {
    allRight = await look(page, wanted) && allRight;
  }
} finally {
  await browser.close();
}
process.exit(allRight ? 0 : 1);
