import { randomBytes } from "node:crypto"
import { setTimeout as sleep } from "node:timers/promises"
import {
  acceptedContent,
  type CallToolResult,
  createRequestStateCodec,
  fromJsonSchema,
  inputRequired,
  type InputRequiredResult,
  inputResponse,
  type McpServer,
  ResourceTemplate,
  type ServerContext
} from "@modelcontextprotocol/server"
import type { Offer, OfferedTool } from "../../src/service/mcp/makeServer.ts"

/** A red pixel, and an eighth of a second of nothing. */
const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
const wav = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA="

const stepMs = 50

const said = (text: string): CallToolResult => ({ content: [{ type: "text", text }] })
const nothing = { type: "object", properties: {} }
const textOf = (names: ReadonlyArray<string>) => ({
  type: "object",
  properties: Object.fromEntries(names.map((name) => [name, { type: "string" }])),
  required: [...names]
})

const tool = (
  name: string,
  call: (args: any, context: ServerContext) => CallToolResult | InputRequiredResult | Promise<CallToolResult | InputRequiredResult>,
  inputSchema: object = nothing
): OfferedTool => ({ name, description: `Fixture ${name}`, inputSchema, call: async (args, _, context) => call(args, context) })

const states = createRequestStateCodec<string>({ key: randomBytes(32) })

const askName = (message = "What is your name?") => inputRequired.elicit({ message, requestedSchema: textOf(["name"]) as never })
const sampling = (text: string, maxTokens: number) =>
  inputRequired.createMessage({ messages: [{ role: "user", content: { type: "text", text } }], maxTokens })

const plain: ReadonlyArray<OfferedTool> = [
  tool("test_simple_text", () => said("This is a simple text response for testing.")),
  tool("test_image_content", () => ({ content: [{ type: "image", data: png, mimeType: "image/png" }] })),
  tool("test_audio_content", () => ({ content: [{ type: "audio", data: wav, mimeType: "audio/wav" }] })),
  tool("test_embedded_resource", () => ({
    content: [
      {
        type: "resource",
        resource: { uri: "test://embedded-resource", mimeType: "text/plain", text: "This is an embedded resource content." }
      }
    ]
  })),
  tool("test_multiple_content_types", () => ({
    content: [
      { type: "text", text: "Multiple content types test:" },
      { type: "image", data: png, mimeType: "image/png" },
      {
        type: "resource",
        resource: {
          uri: "test://mixed-content-resource",
          mimeType: "application/json",
          text: JSON.stringify({ test: "data", value: 123 })
        }
      }
    ]
  })),
  tool("test_error_handling", () => {
    throw new Error("This tool intentionally returns an error for testing")
  }),
  tool("test_tool_with_progress", async (_, { mcpReq: { _meta: meta, notify } }) => {
    for (const progress of [0, 50, 100]) {
      if (progress > 0) await sleep(stepMs)
      if (meta?.progressToken !== undefined)
        await notify({ method: "notifications/progress", params: { progressToken: meta.progressToken, progress, total: 100 } })
    }
    return said("done")
  }),
  tool("test_tool_with_logging", async (_, { mcpReq }) => {
    for (const [index, line] of ["Tool execution started", "Tool processing data", "Tool execution completed"].entries()) {
      if (index > 0) await sleep(stepMs)
      await mcpReq.log("info", line)
    }
    return said("done")
  }),
  tool("test_logging_tool", async (_, { mcpReq }) => {
    await mcpReq.log("info", "This is for who asked for it.")
    return said("done")
  }),
  tool("test_reconnection", async (_, { http }) => {
    http?.closeSSE?.()
    await sleep(2 * stepMs)
    return said("Reconnected")
  }),
  tool("json_schema_2020_12_tool", () => said("done"), {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    type: "object",
    $defs: {
      address: { $anchor: "addressDef", type: "object", properties: { street: { type: "string" }, city: { type: "string" } } }
    },
    properties: {
      name: { type: "string" },
      address: { $ref: "#/$defs/address" },
      contactMethod: { type: "string", enum: ["phone", "email"] },
      phone: { type: "string" },
      email: { type: "string" }
    },
    allOf: [{ anyOf: [{ required: ["phone"] }, { required: ["email"] }] }],
    if: { properties: { contactMethod: { const: "phone" } }, required: ["contactMethod"] },
    // oxlint-disable-next-line unicorn/no-thenable
    then: { required: ["phone"] },
    else: { required: ["email"] },
    additionalProperties: false
  }),
  tool("test_custom_header", ({ region }) => said(String(region)), {
    type: "object",
    properties: { region: { type: "string", "x-mcp-header": "Region" } },
    required: ["region"]
  })
]

/** Over the stream of the call itself: a client need not have another. */
const within = ({ mcpReq }: ServerContext) => ({ relatedRequestId: mcpReq.id })

/** Clients of 2025 are asked in the midst of a call. */
const asking: ReadonlyArray<OfferedTool> = [
  tool(
    "test_sampling",
    async ({ prompt }, context) => {
      const { content } = await context.mcpReq.requestSampling(
        { messages: [{ role: "user", content: { type: "text", text: prompt } }], maxTokens: 100 },
        within(context)
      )
      return said(`LLM response: ${(content as { readonly text?: string }).text}`)
    },
    textOf(["prompt"])
  ),
  tool(
    "test_elicitation",
    async ({ message }, context) => {
      const answer = await context.mcpReq.elicitInput({ message, requestedSchema: textOf(["username", "email"]) as never }, within(context))
      return said(`User response: ${JSON.stringify(answer)}`)
    },
    textOf(["message"])
  ),
  tool("test_elicitation_sep1034_defaults", async (_, context) => {
    const answer = await context.mcpReq.elicitInput(
      {
        message: "Please confirm",
        requestedSchema: {
          type: "object",
          properties: {
            name: { type: "string", default: "John Doe" },
            age: { type: "integer", default: 30 },
            score: { type: "number", default: 95.5 },
            status: { type: "string", enum: ["active", "inactive", "pending"], default: "active" },
            verified: { type: "boolean", default: true }
          }
        }
      },
      within(context)
    )
    return said(`Elicitation completed: action=${answer.action}, content=${JSON.stringify(answer.content)}`)
  }),
  tool("test_elicitation_sep1330_enums", async (_, context) => {
    const titled = (...titles: ReadonlyArray<string>) => titles.map((title, index) => ({ const: `value${index + 1}`, title }))
    const options = ["option1", "option2", "option3"]
    const answer = await context.mcpReq.elicitInput(
      {
        message: "Please choose",
        requestedSchema: {
          type: "object",
          properties: {
            untitledSingle: { type: "string", enum: options },
            titledSingle: { type: "string", oneOf: titled("First Option", "Second Option", "Third Option") },
            legacyEnum: { type: "string", enum: ["opt1", "opt2", "opt3"], enumNames: ["Option One", "Option Two", "Option Three"] },
            untitledMulti: { type: "array", items: { type: "string", enum: options } },
            titledMulti: { type: "array", items: { anyOf: titled("First Choice", "Second Choice", "Third Choice") } }
          }
        }
      },
      within(context)
    )
    return said(`Elicitation completed: action=${answer.action}, content=${JSON.stringify(answer.content)}`)
  })
]

/** Those of 2026 get what is to be asked as the result, and call again with the answers. */
const askingAgain: ReadonlyArray<OfferedTool> = [
  tool("test_input_required_result_elicitation", (_, { mcpReq: { inputResponses } }) => {
    const name = acceptedContent(inputResponses, "user_name")?.["name"]
    return typeof name === "string" ? said(`Hello, ${name}!`) : inputRequired({ inputRequests: { user_name: askName() } })
  }),
  tool("test_input_required_result_sampling", (_, { mcpReq: { inputResponses } }) => {
    const answer = inputResponse(inputResponses, "capital_question")
    if (answer.kind !== "sampling")
      return inputRequired({ inputRequests: { capital_question: sampling("What is the capital of France?", 100) } })
    return said(JSON.stringify(answer.result.content))
  }),
  tool("test_input_required_result_list_roots", (_, { mcpReq: { inputResponses } }) => {
    const answer = inputResponse(inputResponses, "client_roots")
    return answer.kind === "roots"
      ? said(JSON.stringify(answer.roots))
      : inputRequired({ inputRequests: { client_roots: inputRequired.listRoots() } })
  }),
  ...["test_input_required_result_request_state", "test_input_required_result_tampered_state"].map((name) =>
    tool(name, async (_, { mcpReq: { inputResponses, requestState } }) => {
      if (requestState() === "asked" && acceptedContent(inputResponses, "confirm") !== undefined) return said("state-ok")
      const confirm = inputRequired.elicit({
        message: "Please confirm",
        requestedSchema: { type: "object", properties: { ok: { type: "boolean" } }, required: ["ok"] }
      })
      return inputRequired({ inputRequests: { confirm }, requestState: await states.mint("asked") })
    })
  ),
  tool("test_input_required_result_multiple_inputs", async (_, { mcpReq: { inputResponses, requestState } }) => {
    const kinds = ["user_name", "greeting", "client_roots"].map((name) => inputResponse(inputResponses, name).kind)
    if (requestState() === "all" && !kinds.includes("missing")) return said(kinds.join(" "))
    const inputRequests = {
      user_name: askName(),
      greeting: sampling("Generate a greeting", 50),
      client_roots: inputRequired.listRoots()
    }
    return inputRequired({ inputRequests, requestState: await states.mint("all") })
  }),
  tool("test_input_required_result_multi_round", async (_, { mcpReq: { inputResponses, requestState } }) => {
    if (requestState() === "one" && acceptedContent(inputResponses, "step1") !== undefined) {
      const step2 = inputRequired.elicit({
        message: "Step 2: What is your favorite color?",
        requestedSchema: textOf(["color"]) as never
      })
      return inputRequired({ inputRequests: { step2 }, requestState: await states.mint("two") })
    }
    if (requestState() === "two" && acceptedContent(inputResponses, "step2") !== undefined) return said("done")
    return inputRequired({ inputRequests: { step1: askName("Step 1: What is your name?") }, requestState: await states.mint("one") })
  }),
  tool("test_input_required_result_capabilities", (_, { mcpReq: { envelope } }) => {
    const can = (envelope as any)?.["io.modelcontextprotocol/clientCapabilities"] ?? {}
    const inputRequests = {
      ...(can.elicitation === undefined ? {} : { user_name: askName() }),
      ...(can.sampling === undefined ? {} : { greeting: sampling("Generate a greeting", 50) })
    }
    return Object.keys(inputRequests).length === 0 ? said("nothing to ask with") : inputRequired({ inputRequests })
  }),
  // What a client can't do is refused by the layer.
  tool("test_missing_capability", () => inputRequired({ inputRequests: { question: sampling("Generate a greeting", 50) } })),
  tool("test_streaming_elicitation", () => inputRequired({ inputRequests: { user_name: askName() } }))
]

/** What the official suite for servers expects a server to have. */
export const conformanceOffer: Offer = {
  name: "conformance-fixture",
  version: "1.0.0",
  requestState: { verify: states.verify },
  tools: [...plain, ...asking, ...askingAgain],
  resources: [
    ...(["static-text", "watched-resource"] as const).map((name) => ({
      name,
      description: "Fixture text",
      mimeType: "text/plain",
      at: `test://${name}`,
      read: (uri: URL) => ({
        contents: [{ uri: uri.href, mimeType: "text/plain", text: "This is the content of the static text resource." }]
      })
    })),
    {
      name: "static-binary",
      description: "Fixture picture",
      mimeType: "image/png",
      at: "test://static-binary",
      read: (uri) => ({ contents: [{ uri: uri.href, mimeType: "image/png", blob: png }] })
    },
    {
      name: "template",
      description: "Fixture template",
      mimeType: "application/json",
      at: new ResourceTemplate("test://template/{id}/data", { list: undefined }),
      read: (uri, { id }) => ({
        contents: [
          {
            uri: uri.href,
            mimeType: "application/json",
            text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${String(id)}` })
          }
        ]
      })
    }
  ]
}

/** Prompts and log levels, which our own server has not: in the fixture they only fill the suite. */
export const addPrompts = (server: McpServer): McpServer => {
  server.server.registerCapabilities({ logging: {}, completions: {} })
  const user = (...content: ReadonlyArray<any>) => ({ messages: content.map((one) => ({ role: "user" as const, content: one })) })
  const text = (words: string) => ({ type: "text", text: words })
  server.registerPrompt("test_simple_prompt", { description: "Fixture" }, () => user(text("This is a simple prompt for testing.")))
  server.registerPrompt(
    "test_prompt_with_arguments",
    { description: "Fixture", argsSchema: fromJsonSchema<Record<string, string>>(textOf(["arg1", "arg2"]) as never) },
    ({ arg1, arg2 }) => user(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`))
  )
  server.registerPrompt(
    "test_prompt_with_embedded_resource",
    { description: "Fixture", argsSchema: fromJsonSchema<Record<string, string>>(textOf(["resourceUri"]) as never) },
    ({ resourceUri }) =>
      user(
        { type: "resource", resource: { uri: resourceUri, mimeType: "text/plain", text: "Embedded resource content for testing." } },
        text("Please process the embedded resource above.")
      )
  )
  server.registerPrompt("test_prompt_with_image", { description: "Fixture" }, () =>
    user({ type: "image", data: png, mimeType: "image/png" }, text("Please analyze the image above."))
  )
  server.registerPrompt("test_input_required_result_prompt", { description: "Fixture" }, (context) => {
    const given = acceptedContent(context.mcpReq.inputResponses, "user_context")?.["context"]
    if (typeof given === "string") return user(text(given))
    const user_context = inputRequired.elicit({
      message: "What context should the prompt use?",
      requestedSchema: textOf(["context"]) as never
    })
    return inputRequired({ inputRequests: { user_context } })
  })
  server.server.setRequestHandler("completion/complete", () => ({ completion: { values: [], total: 0, hasMore: false } }))
  return server
}
