import i18next, { type i18n } from "i18next";
import { beforeAll, describe, expect, it } from "vitest";
import { en } from "../i18n/en";
import { ptBR } from "../i18n/pt-BR";
import { ApiError, describeError, errorOfBody, errorOfResponse, serviceOfPath } from "./errors";

let portuguese: i18n;

beforeAll(async () => {
  portuguese = i18next.createInstance();
  const resources = { "pt-BR": { translation: ptBR }, en: { translation: en } };
  await portuguese.init({ lng: "pt-BR", resources, interpolation: { escapeValue: false } });
});

const headers = (told: Record<string, string>) => (name: string) => told[name] ?? null;
const told = (error: unknown) => describeError(error, portuguese.t, (key) => portuguese.exists(key));

describe("errors in the reader's language", () => {
  it("are found by their code", () => {
    const error = errorOfBody(401, '{"error":{"message":"Wrong.","code":"wrong_password"}}', "/auth/login");
    expect(told(error)).toEqual({ title: "Usuário ou senha incorretos.", detail: null });
  });

  it("name the service that is down", () => {
    const error = errorOfBody(503, '{"error":{"message":"svc-tts does not answer.","code":"service_down"}}', "/v1/audio/speech", headers({ "retry-after": "3" }));
    expect(told(error).title).toContain("O serviço de fala");
    expect([error.transient, error.retryAfterS]).toEqual([true, 3]);
  });

  it("are not tried again by themselves when somebody has to install a model", () => {
    const error = errorOfBody(503, '{"error":{"message":"No model for ocr is installed.","code":"no_model"}}', "/v1/vision/texts");
    expect([error.transient, error.retryAfterS]).toEqual([false, null]);
  });

  it("are not tried again by themselves where the server says that it is of no use, however they were asked for", async () => {
    const told = { "x-should-retry": "false" };
    const body = '{"error":{"message":"The file is broken.","code":"model_broken"}}';
    expect(errorOfBody(503, body, "/v1/chat/completions", headers(told))).toMatchObject({ transient: false, lasting: true });
    expect(await errorOfResponse(new Response(body, { status: 503, headers: told }), "/v1/files")).toMatchObject({ transient: false, lasting: true });
    expect(errorOfBody(503, body, "/v1/chat/completions").transient).toBe(true);
  });

  it("keep what the server says where the value and the limit matter", () => {
    const error = errorOfBody(400, '{"error":{"message":"\'steps\' is 900; 150 is the most.","code":"invalid_value"}}', "/v1/images/generations");
    expect(told(error)).toEqual({ title: "O servidor recusou um dos valores.", detail: "'steps' is 900; 150 is the most." });
  });

  it("fall back to the server's message for a code not known here", () => {
    expect(told(new ApiError("Something new.", "brand_new", 400)).title).toBe("Something new.");
  });

  it("survive an answer that is not JSON", () => {
    expect(errorOfBody(502, "<html>Bad gateway</html>", "/v1/vision/captions")).toMatchObject({ code: "service_unavailable", service: "vision" });
    expect(errorOfBody(500, "null", "/x")).toMatchObject({ code: "unknown", message: "HTTP 500" });
  });

  it("know which service a path belongs to", () => {
    expect(["/ask/question", "/v1/personas", "/api/status"].map(serviceOfPath)).toEqual(["documents", "chat", "gateway"]);
  });
});
