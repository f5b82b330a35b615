import type { ElicitRequest, ElicitResult } from "@modelcontextprotocol/client"
import { type Perform, keepAlive } from "./waiting.ts"

/** How the host answers what a server asks a person, while a tool of it runs. */
export type Elicit = (request: {
  readonly server: string
  readonly message: string
  readonly requestedSchema?: Readonly<Record<string, unknown>>
  readonly url?: string
}) => Answer | Promise<Answer>

interface Answer {
  readonly action: "accept" | "decline" | "cancel"
  readonly content?: Readonly<Record<string, string | number | boolean | ReadonlyArray<string>>>
}

/**
 * Lets the host answer, and leaves the stream alone meanwhile: it is not idle while a person thinks.
 *
 * **Stopping** an answer that comes when the stream has ended goes nowhere.
 */
export const answerElicitation = async (
  elicit: Elicit,
  server: string,
  params: ElicitRequest["params"],
  use: { readonly perform: Perform; readonly alive: () => void }
): Promise<ElicitResult> => {
  const { message, requestedSchema, url } = params as {
    readonly message: string
    readonly requestedSchema?: Readonly<Record<string, unknown>>
    readonly url?: string
  }
  const request = {
    server,
    message,
    ...(requestedSchema === undefined ? {} : { requestedSchema }),
    ...(url === undefined ? {} : { url })
  }
  try {
    const { action, content } = await keepAlive(use, (async () => elicit(request))())
    // Defaults are filled into what there is (SEP-1034), so there has to be something.
    if (action === "accept" && requestedSchema !== undefined) return { action, content: { ...content } as ElicitResult["content"] }
    return { action }
  } catch {
    return { action: "cancel" }
  }
}
