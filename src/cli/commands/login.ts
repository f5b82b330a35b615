import { access } from "node:fs/promises"
import { logInToMcp, logOutOfMcp, redirectUrlOf } from "../../host/index.ts"
import { CallbackListener } from "../CallbackListener.ts"
import type { Invocation } from "../Command.ts"
import { exitStatus } from "../exitStatus.ts"
import { loadConfig } from "../loadConfig.ts"
import { hostOptions } from "../withHost.ts"

/** How long a person may take, unless the flags say otherwise. */
const personMs = 5 * 60_000

/** Prints where to allow it, waits for the browser to come back to this machine, and keeps the tokens. */
export const login = async ({ flags, operand, output }: Invocation): Promise<number> => {
  const host = await hostOptions(flags, output)
  const server = operand!
  const listener = await CallbackListener.open(redirectUrlOf(host, server))
  const late = AbortSignal.timeout(flags.timeout ?? personMs)
  try {
    const wasAsked = await logInToMcp(host, server, {
      redirectUrl: listener.redirectUrl,
      signal: late,
      authorize: async (url, { signal }) => {
        await output.problem(`Open this in a browser, and allow it:\n`)
        await output.line(url)
        await output.problem(`\nWaiting for the browser to come back to ${listener.redirectUrl} …`)
        return listener.next(new URL(url).searchParams.get("state") ?? "", signal)
      }
    })
    await output.problem(
      wasAsked
        ? `Logged in to ${server}; hosts with --data-dir ${flags["data-dir"]} may use it now.`
        : `${server} asks for no authorization.`
    )
    return exitStatus.done
  } catch (error) {
    if (!late.aborted) throw error
    await output.problem("Nobody has answered in time; nothing was changed.")
    return exitStatus.limit
  } finally {
    await listener.close()
  }
}

/** Forgets tokens and the registered client. What the server itself knows of them stays until they end there. */
export const logout = async ({ flags, operand, output }: Invocation): Promise<number> => {
  await access(flags["data-dir"]!)
  const had = await logOutOfMcp({ ...(await loadConfig(flags.config!)), dataDir: flags["data-dir"] }, operand!)
  await output.problem(had ? `Logged out of ${operand!}.` : `There was no login to ${operand!}.`)
  return exitStatus.done
}
