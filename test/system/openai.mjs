// The stock openai client, unchanged, against a gateway that speaks its API: files, batches, content, cancel, list and
// errors. Usage: node openai.mjs BASE_URL KEY. Prints one line for each check and exits 1 if any of them is wrong.
import OpenAI, { toFile } from "openai";

const [baseURL, apiKey] = process.argv.slice(2);
if (!baseURL || !apiKey) {
  console.error("usage: node openai.mjs BASE_URL KEY");
  process.exit(2);
}

const client = new OpenAI({ baseURL, apiKey, maxRetries: 0, timeout: 30_000 });
const patience = 60_000;
const terminal = ["completed", "failed", "expired", "cancelled"];
let wrong = 0;

function check(what, holds, detail = "") {
  console.log(`${holds ? "ok" : "WRONG"}  ${what}${holds || detail === "" ? "" : `: ${detail}`}`);
  if (!holds) wrong++;
}

function equal(what, got, want) {
  const [a, b] = [JSON.stringify(got), JSON.stringify(want)];
  check(what, a === b, `got ${a}, want ${b}`);
}

function requests(count) {
  return Array.from({ length: count }, (_, n) => ({
    custom_id: `row-${n}`,
    method: "POST",
    url: "/v1/chat/completions",
    body: { model: "gpt-5-mini", max_tokens: 32, messages: [{ role: "user", content: `Name a color, ${n}.` }] },
  }));
}

async function upload(rows) {
  const text = rows.map((row) => JSON.stringify(row) + "\n").join("");
  const file = await client.files.create({ file: await toFile(Buffer.from(text), "rows.jsonl"), purpose: "batch" });
  return { file, size: Buffer.byteLength(text) };
}

function create(inputFileID, metadata = {}) {
  return client.batches.create({
    input_file_id: inputFileID, endpoint: "/v1/chat/completions", completion_window: "24h", metadata,
  });
}

async function wait(id) {
  const deadline = Date.now() + patience;
  for (;;) {
    const batch = await client.batches.retrieve(id);
    if (terminal.includes(batch.status) || Date.now() > deadline) return batch;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

async function lines(fileID) {
  const answer = await client.files.content(fileID);
  return (await answer.text()).trimEnd().split("\n").map((line) => JSON.parse(line));
}

// refusal gives the error of a call that must fail.
async function refusal(call) {
  try {
    await call();
    return null;
  } catch (error) {
    return error;
  }
}

async function checkFile() {
  const { file, size } = await upload(requests(12));
  equal("files.create: object", file.object, "file");
  equal("files.create: bytes", file.bytes, size);
  equal("files.create: purpose", file.purpose, "batch");
  equal("files.create: filename", file.filename, "rows.jsonl");
  equal("files.retrieve: id", (await client.files.retrieve(file.id)).id, file.id);
  equal("files.content of the input: rows", (await lines(file.id)).length, 12);
  return file;
}

async function checkRun(file) {
  const created = await create(file.id, { purpose: "check" });
  equal("batches.create: object", created.object, "batch");
  equal("batches.create: status", created.status, "validating");
  equal("batches.create: input_file_id", created.input_file_id, file.id);
  equal("batches.create: metadata", created.metadata?.purpose, "check");
  check("batches.create: created_at is a number", Number.isInteger(created.created_at), created.created_at);
  const ended = await wait(created.id);
  equal("batches.retrieve: status at the end", ended.status, "completed");
  equal("batches.retrieve: request_counts", ended.request_counts, { completed: 12, failed: 0, total: 12 });
  const answers = await lines(ended.output_file_id);
  const ids = answers.map((line) => line.custom_id).sort();
  equal("files.content of the output: every row once", ids, requests(12).map((row) => row.custom_id).sort());
  check("files.content of the output: all 200", answers.every((line) => line.response.status_code === 200));
  const text = answers[0].response.body.choices[0].message.content;
  check("files.content of the output: an answer", typeof text === "string" && text.length > 0, text);
  return created.id;
}

async function checkCancel(file) {
  const created = await create(file.id);
  const cancelling = await client.batches.cancel(created.id);
  equal("batches.cancel: status", cancelling.status, "cancelling");
  equal("batches.retrieve: status after cancel", (await wait(created.id)).status, "cancelled");
  const again = await refusal(() => client.batches.cancel(created.id));
  check("batches.cancel of a cancelled batch: a 4xx", again?.status >= 400 && again?.status < 500, again?.status);
  return created.id;
}

async function checkList(...wanted) {
  const page = await client.batches.list({ limit: 100 });
  const found = page.data.map((batch) => batch.id);
  check("batches.list: holds both batches", wanted.every((id) => found.includes(id)), found.join(" "));
  let seen = 0;
  for await (const batch of client.batches.list({ limit: 100 })) {
    if (batch.id) seen++;
  }
  check("batches.list: iterates to an end", seen >= wanted.length, seen);
}

async function checkErrors(file) {
  const noBatch = await refusal(() => client.batches.retrieve("batch_00000000000000000000000000"));
  check("a batch nobody has: NotFoundError", noBatch instanceof OpenAI.NotFoundError, noBatch);
  const noFile = await refusal(() => client.files.content("file-nobody-has-this"));
  check("a file nobody has: NotFoundError", noFile instanceof OpenAI.NotFoundError, noFile);
  const window = await refusal(() => client.batches.create({
    input_file_id: file.id, endpoint: "/v1/chat/completions", completion_window: "1h",
  }));
  check("an impossible window: BadRequestError", window instanceof OpenAI.BadRequestError, window);
  const stranger = new OpenAI({ baseURL, apiKey: "nobody", maxRetries: 0 });
  const noKey = await refusal(() => stranger.batches.list());
  check("a wrong key: AuthenticationError", noKey instanceof OpenAI.AuthenticationError, noKey);
}

try {
  const file = await checkFile();
  const ran = await checkRun(file);
  const cancelled = await checkCancel(file);
  await checkList(ran, cancelled);
  await checkErrors(file);
} catch (error) {
  check("no call fails unexpectedly", false, error?.stack ?? error);
}
console.log(wrong === 0 ? "all checks passed" : `${wrong} checks failed`);
process.exit(wrong === 0 ? 0 : 1);
