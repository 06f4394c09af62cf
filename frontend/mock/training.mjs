/** The stand-in's trainings: a job runs for some seconds, tells of its losses and leaves a model. A suffix with "falha" fails halfway. */
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const newId = (prefix) => `${prefix}-${Math.random().toString(16).slice(2, 14)}`;
const now = () => Math.floor(Date.now() / 1000);
const STEPS = 60, STEP_MS = 150, LOOK_EVERY = 10, CHECKPOINT_EVERY = 20;
const ENDED = ["succeeded", "failed", "cancelled"];
const files = new Map();
const jobs = new Map();

const lossAt = (step, of) => 0.15 + of * Math.exp(-step / 18) + 0.04 * Math.abs(Math.sin(step * 7));
const has = (job, step) => job.events.some(({ data }) => data?.valid_loss !== undefined && data.step === step);

function say(job, message, data = null, level = "info") {
  const seq = job.events.length + 1;
  job.events.push({ object: "fine_tuning.job.event", id: String(seq), created_at: now(), level, message, type: data ? "metrics" : "message", data });
}

function look(job, step) {
  const valid_loss = lossAt(step, 2.4);
  if (!has(job, step)) say(job, `Step ${step}: held-out loss ${valid_loss.toFixed(3)}`, { step, total_steps: STEPS, valid_loss });
  return valid_loss;
}

function oneStep(job, models) {
  const { body } = job, { progress } = body;
  const step = progress.step + 1, train_loss = lossAt(step, 2.1);
  Object.assign(progress, { step, train_loss, eta_s: ((STEPS - step) * STEP_MS) / 1000 });
  say(job, `Step ${step}`, { step, total_steps: STEPS, train_loss, eta_s: progress.eta_s });
  if (step % LOOK_EVERY === 0) progress.valid_loss = look(job, step);
  if (step % CHECKPOINT_EVERY === 0 && step < STEPS) {
    const fine_tuned_model_checkpoint = `${nameOf(body)}:step-${step}`;
    job.checkpoints.unshift({ object: "fine_tuning.job.checkpoint", id: newId("ftckpt"), created_at: now(), fine_tuning_job_id: body.id, fine_tuned_model_checkpoint, step_number: step });
    addModel(models, body, fine_tuned_model_checkpoint);
    say(job, `Checkpoint created at step ${step}: ${fine_tuned_model_checkpoint}`);
  }
}

const nameOf = ({ model, user_provided_suffix, id }) => `ft:${model}:${user_provided_suffix ?? ""}:${id.slice(-8)}`;

function addModel(models, { model }, id) {
  const base = models.find((one) => one.id === model);
  models.push({ ...base, id, builtin: false, owned_by: "user" });
}

function setStatus(job, status, message, level) {
  Object.assign(job.body, { status, finished_at: ENDED.includes(status) ? now() : null });
  job.body.progress.status = status;
  say(job, message, null, level);
}

async function run(job, models) {
  const { body } = job, fails = body.user_provided_suffix?.includes("falha");
  await wait(600);
  if (body.status !== "queued") return;
  setStatus(job, "running", body.progress.step ? `Training goes on at step ${body.progress.step}` : "Training started");
  look(job, 0);
  while (body.status === "running" && body.progress.step < STEPS) {
    await wait(STEP_MS);
    if (body.status === "running") oneStep(job, models);
    if (fails && body.progress.step === STEPS / 2) {
      body.error = { code: "out_of_memory", message: "The training ran out of memory.", param: null };
      return setStatus(job, "failed", body.error.message, "error");
    }
  }
  if (body.status !== "running") return;
  body.fine_tuned_model = nameOf(body);
  body.measured = { base_valid_loss: lossAt(0, 2.4), valid_loss: body.progress.valid_loss, drift: 0.021, best_step: STEPS, seconds: (STEPS * STEP_MS) / 1000 };
  addModel(models, body, body.fine_tuned_model);
  setStatus(job, "succeeded", `New fine-tuned model created: ${body.fine_tuned_model}`);
}

function begin(order, models) {
  const id = newId("ftjob"), given = order.method?.supervised?.hyperparameters ?? {};
  const number = (value, usual) => (typeof value === "number" ? value : usual);
  const hyperparameters = { n_epochs: number(given.n_epochs, 24), batch_size: number(given.batch_size, 16), learning_rate_multiplier: number(given.learning_rate_multiplier, 1) };
  const body = {
    id, object: "fine_tuning.job", created_at: now(), finished_at: null, status: "queued", model: order.model, fine_tuned_model: null, user_provided_suffix: order.suffix ?? null, error: null,
    training_file: order.training_file, hyperparameters, counts: { examples: files.get(order.training_file), held_out: 0 }, measured: null,
    progress: { status: "queued", step: 0, total_steps: STEPS, train_loss: null, valid_loss: null, eta_s: null },
  };
  const job = { body, events: [], checkpoints: [] };
  jobs.set(id, job);
  say(job, "Waiting for its turn");
  void run(job, models);
  return job;
}

async function tell(req, res, job) {
  res.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" }).write(": keep-alive\n\n");
  let at = Number(req.headers["last-event-id"] ?? 0), told = "";
  while (!res.destroyed) {
    for (; at < job.events.length; at++) res.write(`id: ${at + 1}\ndata: ${JSON.stringify(job.events[at])}\n\n`);
    const progress = JSON.stringify(job.body.progress);
    if (progress !== told) res.write(`event: progress\ndata: ${progress}\n\n`);
    told = progress;
    if (ENDED.includes(job.body.status)) return res.end("data: [DONE]\n\n");
    await wait(100);
  }
}

async function answer(res, { model, messages }) {
  res.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
  const asked = messages.at(-1).content;
  const text = model.startsWith("ft:") ? `Aprendi isto no treino: **${asked}**` : "Sou um modelo pequeno e não sei isso.";
  for (const content of text.split(/(?<= )/)) {
    res.write(`data: ${JSON.stringify({ object: "chat.completion.chunk", model, choices: [{ index: 0, delta: { content }, finish_reason: null }] })}\n\n`);
    await wait(60);
  }
  res.end("data: [DONE]\n\n");
}

/** Routes of what the training tab asks for; trained models are added to `models`. */
export function trainingRoutes(json, fail, models) {
  const list = (data) => ({ object: "list", data, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null, has_more: false });
  const withJob = (act) => (_, res, [, id], __, req) => (jobs.has(id) ? act(jobs.get(id), res, req) : fail(res, 404, "not_found", "There is no such training."));
  const change = (from, status, message, then = () => {}) => withJob((job, res) => {
    if (!from.includes(job.body.status)) return fail(res, 409, "conflict", `The training is ${job.body.status}.`);
    setStatus(job, status, message(job.body.progress.step));
    then(job);
    return json(res, job.body);
  });
  const path = "/v1/fine_tuning/jobs";
  return [
    ["POST /v1/files", ({ raw, bytes }, res) => {
      const id = newId("file");
      files.set(id, raw.match(/"messages"/g)?.length ?? 0);
      json(res, { id, object: "file", bytes, created_at: now(), filename: /filename="([^"]+)"/.exec(raw)?.[1] ?? "examples.jsonl", purpose: "fine-tune", status: "processed" });
    }],
    ["DELETE /v1/files/([^/]+)", (_, res, [, id]) => json(res, { id, object: "file", deleted: files.delete(id) })],
    [`POST ${path}`, (body, res) => (files.get(body.training_file) ? json(res, begin(body, models).body) : fail(res, 400, "invalid_training_file", "The file holds no examples."))],
    [`GET ${path}`, (_, res) => json(res, list([...jobs.values()].reverse().map(({ body }) => body)))],
    [`GET ${path}/([^/]+)`, withJob((job, res) => json(res, job.body))],
    [`GET ${path}/([^/]+)/events`, withJob((job, res, req) => tell(req, res, job))],
    [`GET ${path}/([^/]+)/checkpoints`, withJob((job, res) => json(res, list(job.checkpoints)))],
    [`POST ${path}/([^/]+)/cancel`, change(["queued", "running", "paused"], "cancelled", () => "Cancelled")],
    [`POST ${path}/([^/]+)/pause`, change(["queued", "running"], "paused", (step) => `Paused at step ${step}`)],
    [`POST ${path}/([^/]+)/resume`, change(["paused"], "queued", () => "Waiting to go on", (job) => void run(job, models))],
    ["DELETE /v1/models/(ft:.+)", (_, res, [, name]) => {
      const id = decodeURIComponent(name), at = models.findIndex((one) => one.id === id);
      return at < 0 ? fail(res, 404, "model_not_found", `The model '${id}' is not here.`) : (models.splice(at, 1), json(res, { id, object: "model", deleted: true }));
    }],
    ["POST /v1/chat/completions", (body, res) => answer(res, body)],
  ];
}
