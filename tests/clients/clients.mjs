// The clients, each as its users call it: with its defaults, but for the timeout of requests that
// never end. What each call comes to is told in a line.

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import Anthropic from "@anthropic-ai/sdk";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, streamText } from "ai";
import OpenAI from "openai";
import OpenAI7 from "openai7";

const tokenBytes = 8; // of every token of brownout's completions
const asked = 12;
const headers = (session) => ({
  "x-brownout-output-tokens": String(asked), "x-brownout-test": session,
});
const messages = [{ role: "user", content: "hi" }];

export function version(name) {
  const file = new URL(`node_modules/${name}/package.json`, import.meta.url);
  return JSON.parse(readFileSync(file, "utf8")).version;
}

// --- what a call came to -------------------------------------------------------------------------

function tokens(text) {
  const torn = text.includes("\ufffd") ? ", torn" : "";
  return `${Buffer.byteLength(text) / tokenBytes} of ${asked} tokens${torn}`;
}

const success = (text, more = "") => `success${more}, ${tokens(text)}`;

// What is no completion can still be what create() returns.
function returned(whole, text) {
  if (whole === undefined) return "success, returns undefined";
  if (typeof whole === "string") return `success, returns the string \`${whole.slice(0, 6)}…\``;
  return success(text(whole));
}

// `RateLimitError` 429 insufficient_quota; `APIConnectionError`; `TypeError` "terminated".
function failure(error) {
  if (!(error instanceof Error)) return "throws a plain object";
  if (error.name === "AI_RetryError") return `RetryError of ${failure(error.lastError)}`;
  const name = error.name.startsWith("AI_") ? error.name.slice(3) : error.constructor.name;
  if (name === "DOMException") return error.name;
  if (name === "APICallError") {
    return [name, error.statusCode, error.isRetryable && "(retryable)"].filter(Boolean).join(" ");
  }
  if ("status" in error) {
    return [name, error.status, error.code ?? error.type].filter(Boolean).join(" ");
  }
  // What the parser of JSON says is the business of the version of Node.js.
  if (name === "SyntaxError" || error.name.startsWith("AI_")) return name;
  if (name !== "TypeError" && error.cause instanceof Error) {
    return `${name} of ${failure(error.cause)}`;
  }
  const { message } = error;
  const shown = message.length > 36 ? `${message.slice(0, 36).replace(/ \S*$/, "")}…` : message;
  return `${name} "${shown}"`;
}

/// What a call comes to, in words. Who still waits after `patience` milliseconds, if there is one,
/// is told to leave. (Some then go on sleeping; the process has to be ended.)
export function outcome(client, url, session, { timeout, patience }) {
  const impatient = new AbortController();
  const ends = client(url, session, { timeout, signal: impatient.signal }).catch(failure);
  if (!patience) return ends;
  const waits = new Promise((resolve) => {
    setTimeout(() => {
      resolve(`still waits after ${patience / 1000} s`);
      impatient.abort();
    }, patience);
  });
  return Promise.race([ends, waits]);
}

// --- openai --------------------------------------------------------------------------------------

const openai = (Sdk, url, session, { timeout }) => new Sdk({
  baseURL: `${url}/v1`, apiKey: "k", timeout, defaultHeaders: headers(session),
});

const chat = { model: "gpt-4", messages };
const response = { model: "gpt-4", input: "hi" };

const openaiCreate = (Sdk) => async (url, session, options) => {
  const client = openai(Sdk, url, session, options);
  const whole = await client.chat.completions.create(chat, { signal: options.signal });
  return returned(whole, () => whole.choices[0].message.content);
};

const openaiForAwait = (Sdk) => async (url, session, options) => {
  const client = openai(Sdk, url, session, options);
  const { signal } = options;
  const stream = await client.chat.completions.create({ ...chat, stream: true }, { signal });
  let text = "";
  let strange = 0;
  for await (const chunk of stream) {
    if (!chunk.choices) strange += 1;
    text += chunk.choices?.[0]?.delta?.content ?? "";
  }
  return success(text, strange ? " with a chunk without choices" : "");
};

const openaiHelper = (Sdk) => async (url, session, options) => {
  const { signal } = options;
  const stream = openai(Sdk, url, session, options).chat.completions.stream(chat, { signal });
  const whole = await stream.finalChatCompletion();
  return success(whole.choices[0].message.content);
};

const responsesForAwait = (Sdk) => async (url, session, options) => {
  const { signal } = options;
  const client = openai(Sdk, url, session, options);
  const stream = await client.responses.create({ ...response, stream: true }, { signal });
  let text = "";
  let last;
  for await (const event of stream) {
    if (event.type === "response.output_text.delta") text += event.delta;
    last = event.type;
  }
  return success(text, ` until ${last}`);
};

const responsesHelper = (Sdk) => async (url, session, options) => {
  const stream = openai(Sdk, url, session, options).responses.stream(response);
  const whole = await stream.finalResponse();
  const text = whole.output[0]?.content[0]?.text ?? "";
  return success(text, ` with status ${whole.status}`);
};

// --- @anthropic-ai/sdk ---------------------------------------------------------------------------

const anthropic = (url, session, { timeout }) => new Anthropic({
  baseURL: url, apiKey: "k", timeout, defaultHeaders: headers(session),
});

const message = { model: "claude", max_tokens: 100, messages };

async function anthropicCreate(url, session, options) {
  const client = anthropic(url, session, options);
  const whole = await client.messages.create(message, { signal: options.signal });
  return returned(whole, () => whole.content[0].text);
}

async function anthropicForAwait(url, session, options) {
  const { signal } = options;
  const client = anthropic(url, session, options);
  const stream = await client.messages.create({ ...message, stream: true }, { signal });
  let text = "";
  let strange = "";
  for await (const event of stream) {
    if (!/^(message|content_block)_/.test(event.type)) strange = ` with an event ${event.type}`;
    text += event.delta?.text ?? "";
  }
  return success(text, strange);
}

async function anthropicHelper(url, session, options) {
  const { signal } = options;
  const whole = await anthropic(url, session, options).messages.stream(message, { signal })
    .finalMessage();
  return success(whole.content[0].text);
}

// --- ai ------------------------------------------------------------------------------------------

globalThis.AI_SDK_LOG_WARNINGS = false;

const aiModels = {
  openai: (url, session) =>
    createOpenAI({ baseURL: `${url}/v1`, apiKey: "k", headers: headers(session) }).chat("gpt-4"),
  anthropic: (url, session) =>
    createAnthropic({ baseURL: `${url}/v1`, apiKey: "k", headers: headers(session) })("claude"),
};

// It has no timeout of its own: users bring a signal.
const aiGenerate = (by) => async (url, session, { timeout, signal }) => {
  const abortSignal = timeout ? AbortSignal.timeout(timeout) : signal;
  const whole = await generateText({ model: aiModels[by](url, session), messages, abortSignal });
  return success(whole.text, `, finish ${whole.finishReason}`);
};

const aiStream = (by) => async (url, session, { signal }) => {
  const model = aiModels[by](url, session);
  const stream = streamText({ model, messages, abortSignal: signal, onError() {} });
  let text = "";
  let said = "success";
  let finish = "";
  for await (const part of stream.fullStream) {
    if (part.type === "text-delta") text += part.text;
    if (part.type === "error") {
      said = part.error instanceof Error ? failure(part.error) : "an error part";
    }
    if (part.type === "finish") finish = `, finish ${part.finishReason}`;
  }
  return `${said}${finish}, ${tokens(text)}`;
};

// --- curl ----------------------------------------------------------------------------------------

const curl = (stream) => (url, session, { timeout, signal }) => new Promise((resolve, reject) => {
  const args = ["--silent", "--fail-with-body", "--retry", "2", "--write-out", "\n%{http_code}",
    ...(timeout ? ["--max-time", String(timeout / 1000)] : []),
    "--json", JSON.stringify({ ...chat, stream }), "--header", "authorization: Bearer k",
    ...Object.entries(headers(session)).flatMap((header) => ["--header", header.join(": ")]),
    `${url}/v1/chat/completions`];
  const child = spawn("curl", args, { signal, stdio: ["ignore", "pipe", "ignore"] });
  let out = "";
  child.stdout.on("data", (data) => { out += data; });
  child.on("error", reject);
  child.on("close", (code) => {
    const status = out.slice(out.lastIndexOf("\n") + 1);
    resolve(`exit ${code}${status === "000" ? "" : `, status ${status}`}`);
  });
});

export const clients = {
  create: {
    openai: openaiCreate(OpenAI),
    openai7: openaiCreate(OpenAI7),
    anthropic: anthropicCreate,
    ai: aiGenerate("openai"),
    curl: curl(false),
  },
  stream: {
    openai: openaiForAwait(OpenAI),
    openai7: openaiForAwait(OpenAI7),
    openaiStream: openaiHelper(OpenAI),
    openai7Stream: openaiHelper(OpenAI7),
    anthropic: anthropicForAwait,
    anthropicStream: anthropicHelper,
    aiOpenai: aiStream("openai"),
    aiAnthropic: aiStream("anthropic"),
    curl: curl(true),
  },
  responses: {
    openai: responsesForAwait(OpenAI),
    openai7: responsesForAwait(OpenAI7),
    openaiStream: responsesHelper(OpenAI),
    openai7Stream: responsesHelper(OpenAI7),
  },
};
