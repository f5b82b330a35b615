// What the tools take, as JSON Schema. The texts are what a model reads to decide, so they say what happens, in few words.

const text = (description: string, maxLength = 256) => ({ type: "string", minLength: 1, maxLength, description }) as const
const whole = (description: string, minimum: number, maximum: number, byDefault: number) =>
  ({ type: "integer", minimum, maximum, default: byDefault, description: `${description} (${byDefault})` }) as const

const streamId = text("as stream_start or stream_list gave it")
const reason = text("why; stream_inspect shows it", 500)
const cursor = text("next_cursor of the page before; left out, from the beginning")

const object = <Properties extends object>(properties: Properties, required: ReadonlyArray<keyof Properties & string> = []) => ({
  type: "object" as const,
  properties,
  required: [...required],
  additionalProperties: false
})

export const toolSchemas = {
  stream_sources: object({
    query: text("words that the endpoint or the summary has"),
    server: text("the name of an MCP server of the list: its tools and resources in place of the list; it is asked for them"),
    cursor,
    limit: whole("how many at most", 1, 50, 20)
  }),
  stream_start: object({
    rtfs: text("a program in RTFS; the items of its last value, a stream, are its output", 100_000),
    endpoint: text(
      "in place of rtfs: an endpoint of stream_sources: the id of a source, or one of an MCP server such as SERVER/tool:NAME",
      4096
    ),
    config: {
      type: "object",
      description:
        'with a source: its arguments and options by name, keywords as text; with an MCP tool: its arguments; with an MCP resource: {"read": false} for its changes alone'
    },
    processor: text("with an MCP endpoint: RTFS text, (fn [state chunk metadata] {:state … :action :continue :output …})", 100_000),
    initial_state: { description: "with an MCP endpoint: the first state of the processor" },
    queue_capacity: whole("items of output that may wait to be read", 1, 10_000, 1000),
    overflow: {
      type: "string",
      enum: ["wait", "drop-oldest"],
      default: "wait",
      description: "when those are not read: the stream waits (wait), or the oldest go (drop-oldest)"
    },
    ttl_s: whole("seconds after which a stream is cancelled that no call asks about", 1, 86_400, 3600),
    idempotency_key: text("a second call with this key and the same arguments gives the stream of the first, so it can be repeated")
  }),
  stream_list: object({
    state: {
      type: "string",
      enum: ["created", "running", "paused", "draining", "completed", "stopped", "cancelled", "failed"],
      description: "only those"
    },
    cursor
  }),
  stream_inspect: object(
    {
      stream_id: streamId,
      include_state: {
        type: "boolean",
        default: false,
        description: "of an MCP endpoint: the state of its processor, and its counters"
      },
      include_queue: {
        type: "boolean",
        default: false,
        description: "the actors too, with how much waits in front of each; of an MCP endpoint the chunks that wait for the processor"
      }
    },
    ["stream_id"]
  ),
  stream_read: object(
    {
      stream_id: streamId,
      cursor: text("next_cursor of the page before; left out, from the oldest item that is kept"),
      from: {
        type: "string",
        enum: ["outputs", "chunks"],
        default: "outputs",
        description:
          "outputs: what the stream gives; chunks: of an MCP endpoint, what its server sent, before the processor; the last 100 are kept"
      },
      tail: { type: "integer", minimum: 1, maximum: 100, description: "in place of cursor: the newest so many, at most max_items" },
      max_items: whole("how many items at most", 1, 100, 20),
      max_chars: whole("how many characters of items at most; a longer item is cut", 100, 16_000, 8000),
      wait_ms: whole("how long to wait for an item where there is none", 0, 20_000, 0)
    },
    ["stream_id"]
  ),
  stream_pause: object({ stream_id: streamId, reason }, ["stream_id"]),
  stream_resume: object({ stream_id: streamId, reason }, ["stream_id"]),
  stream_stop: object(
    {
      stream_id: streamId,
      mode: {
        type: "string",
        enum: ["drain", "cancel"],
        default: "drain",
        description: "drain works off what was read already, cancel ends at once"
      }
    },
    ["stream_id"]
  )
}

export type ToolName = keyof typeof toolSchemas
