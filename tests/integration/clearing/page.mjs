// Runs the desk's page where there is no browser: `node page.mjs PAGE URL KEY`. It opens the page, waits for the stream
// and the rows, chooses the newest order, goes back in time and to now again; then it prints what was asked for and shown.
import { readFileSync } from "node:fs";

const [, , file, url, key] = process.argv;
const elements = new Map(), asked = [], answered = [];

class Element {
  childNodes = []; style = {}; className = ""; textContent = ""; value = ""; hidden = true; disabled = false;
  classList = { toggle() {} };
  append(...more) { this.childNodes.push(...more); }
  prepend(...more) { this.childNodes.unshift(...more); }
  replaceChildren(...more) { this.childNodes = more; }
  setAttribute() {}
  get lastChild() { return this.childNodes.at(-1); }
  get text() { return [this.textContent, ...this.childNodes.map((one) => one.text)].filter(Boolean).join(" "); }
}

const page = {
  getElementById(id) {
    if (!elements.has(id)) elements.set(id, new Element());
    return elements.get(id);
  },
  createElement: () => new Element(), createElementNS: () => new Element(), body: new Element(),
};
const fetched = async (path, options) => {
  asked.push(path);
  const answer = await fetch(url + path, options);
  answered.push([path.split("?")[0], answer.status]);
  return answer;
};

async function until(what, holds) {
  const deadline = Date.now() + 60_000;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`${what}: ${shown("told")} ${JSON.stringify(answered)}`);
    await new Promise((done) => setTimeout(done, 20));
  }
}

const shown = (id) => page.getElementById(id).text;
const [, script] = /<script>(.*?)<\/script>/s.exec(readFileSync(file, "utf8"));
new Function("document", "location", "fetch", "history", script)(page, { hash: "#" + key }, fetched, { replaceState() {} });

await until("the stream", () => shown("state") === "live");
await until("the rows", () => page.getElementById("orders").childNodes.length > 1);
page.getElementById("orders").childNodes[1].onclick();
await until("the order's history", () => shown("history").includes("OrderAccepted"));
const tables = Object.fromEntries(["balances", "positions", "orders", "fills", "marks", "margin", "history"].map(
  (id) => [id, shown(id)]));
const before = answered.length;
page.getElementById("when").value = 999;
page.getElementById("when").oninput();
await until("the past", () => answered.length >= before + 6 && answered.length === asked.length && shown("moment") !== "now");
console.log(JSON.stringify({ answered, tables, told: shown("told"), past: asked.filter((path) => path.includes("as_of=")) }));
process.exit(0);
