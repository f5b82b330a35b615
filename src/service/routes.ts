import type { IncomingMessage, ServerResponse } from "node:http"
import type { StreamHost } from "../host/index.ts"
import { HttpProblem } from "./errors.ts"
import { answerJson, type HttpCounts } from "./HttpServer.ts"
import { readJson } from "./jsonBody.ts"
import { prometheusText, prometheusType } from "./prometheus.ts"
import type { ServiceStatus } from "./ServiceStatus.ts"

export interface RouteOptions {
  readonly host: StreamHost
  readonly status: () => ServiceStatus
  readonly counts: () => HttpCounts
  /** What a stream is given to drain where the request says nothing. */
  readonly drainMs: number
}

const actions = ["pause", "resume", "drain", "stop"] as const

/** The longest that a request may let a stream drain. */
const longestDrainMs = 3_600_000

/** Answers the requests of operators: `/health`, `/status`, `/metrics`, and what is done to streams. */
export const answerOperator = async (
  options: RouteOptions,
  request: IncomingMessage,
  response: ServerResponse,
  { pathname }: URL
): Promise<void> => {
  switch (pathname) {
    case "/health":
      only(request, "GET")
      return answerHealth(options.status(), response)
    case "/status":
      only(request, "GET")
      return answerJson(response, 200, options.status())
    case "/metrics": {
      only(request, "GET")
      response.writeHead(200, { "content-type": prometheusType })
      return void response.end(prometheusText(options.status(), options.counts()))
    }
  }
  const [, encoded, action] = /^\/streams\/([^/]+)\/([a-z]+)$/.exec(pathname) ?? []
  const known = actions.find((name) => name === action)
  if (encoded === undefined || known === undefined) {
    throw new HttpProblem(
      404,
      "There is nothing at this path",
      `There are GET /health, /status, /metrics, and POST /streams/ID/${actions.join("|")}.`
    )
  }
  only(request, "POST")
  answerJson(response, 200, await act(options, decodedId(encoded), known, await readJson(request)))
}

/** Open to everyone on this machine, so it says nothing but how it is. */
const answerHealth = ({ services, state }: ServiceStatus, response: ServerResponse): void => {
  const health = state !== "running" ? state : services.some(({ status }) => status === "failed") ? "failed" : "ok"
  answerJson(response, health === "ok" ? 200 : 503, { status: health })
}

const act = async ({ drainMs, host }: RouteOptions, id: string, action: (typeof actions)[number], body: unknown): Promise<unknown> => {
  const timeoutMs = timeoutOf(action, body) ?? drainMs
  const handle = host.handle(id)
  if (handle === undefined) throw new HttpProblem(404, `There is no service and no stream ${JSON.stringify(id)}`, "GET /status lists them.")
  if (action === "drain") await handle.drain({ timeoutMs })
  else if (action === "stop") await handle.cancel()
  else await handle[action]()
  return { id: handle.id, status: handle.status }
}

const timeoutOf = (action: string, body: unknown): number | undefined => {
  if (body === undefined) return undefined
  const fields = typeof body === "object" && body !== null && !Array.isArray(body) ? Object.entries(body) : [["body", body] as const]
  for (const [name, value] of fields) {
    const isTime = typeof value === "number" && value >= 0 && value <= longestDrainMs
    if (action !== "drain" || name !== "timeoutMs" || !isTime) {
      throw new HttpProblem(
        400,
        `The request can't have this body`,
        `Only drain takes one: {"timeoutMs": milliseconds up to ${longestDrainMs}}.`
      )
    }
    return value
  }
  return undefined
}

const decodedId = (encoded: string): string => {
  try {
    return decodeURIComponent(encoded)
  } catch {
    throw new HttpProblem(400, "The id of the stream is not encoded as in a URL", "Encode it as encodeURIComponent does.")
  }
}

const only = ({ method }: IncomingMessage, allowed: "GET" | "POST"): void => {
  if (method !== allowed) throw new HttpProblem(405, `${method} is not done here`, `Use ${allowed}.`, { allow: allowed })
}
