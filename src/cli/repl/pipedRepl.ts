import type { Session } from "../../host/index.ts"
import { print } from "../../rtfs/index.ts"
import type { Invocation } from "../Command.ts"
import { exitStatus, exitStatusOf } from "../exitStatus.ts"
import { renderError } from "../renderError.ts"
import { evaluateForms } from "./evaluateForms.ts"
import { isIncomplete } from "./inputForms.ts"

const file = "standard input"

/** How much of the input is kept, so that errors in functions of earlier lines can show them. */
const keptCharacters = 4 * 1024 * 1024

/** Beyond this a text is read again only when it has doubled, so that reading takes time in proportion to its length. */
const eagerCharacters = 256 * 1024

/**
 * Evaluates what comes on standard input, form by form as it arrives, and prints nothing but values and errors. An error
 * does not end it.
 *
 * @returns the exit status for the first error
 */
export const pipedRepl = async (
  input: AsyncIterable<string>,
  session: Session,
  { errors, flags, output }: Invocation,
  signal: AbortSignal
): Promise<number> => {
  let status: number = exitStatus.done
  let rest = ""
  let seen = ""
  let linesBefore = 0
  let worthReading = 0

  const take = async (text: string): Promise<void> => {
    // Empty lines in front, so that errors name the line of the whole input.
    const source = "\n".repeat(linesBefore) + text
    seen = seen.length + text.length > keptCharacters ? source : seen + text
    const fail = (error: unknown) => {
      // Only the end of the process cancels here.
      if (signal.aborted) return
      if (status === exitStatus.done) status = exitStatusOf(error)
      return output.problem(renderError(error, { ...errors, source: seen }))
    }
    try {
      await evaluateForms(source, file, {
        session,
        signal,
        timeoutMs: flags.timeout,
        maxItems: Infinity,
        onItem: (item) => output.line(print(item)),
        onResult: ({ stream, value }) => (stream === undefined ? output.line(print(value)) : undefined),
        onError: fail
      })
    } catch (error) {
      await fail(error)
    }
    linesBefore += text.split("\n").length - 1
  }

  for await (const chunk of input) {
    if (signal.aborted) return status
    rest += chunk
    const end = rest.lastIndexOf("\n") + 1
    if (end === 0 || end < worthReading) continue
    const lines = rest.slice(0, end)
    if (isIncomplete(lines)) {
      worthReading = end < eagerCharacters ? 0 : 2 * end
      continue
    }
    rest = rest.slice(end)
    worthReading = 0
    await take(lines)
  }
  if (rest.trim() !== "") await take(rest)
  await session.ended()
  return status
}
