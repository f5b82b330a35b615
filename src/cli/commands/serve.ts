import { startService } from "../../service/index.ts"
import type { Invocation } from "../Command.ts"
import { exitStatus } from "../exitStatus.ts"
import { readProgram } from "../readProgram.ts"
import { serviceAddress } from "../serviceAddress.ts"
import { listenForSignals } from "../ShutdownSignals.ts"
import { startHost } from "../withHost.ts"
import { within } from "../within.ts"

const defaultShutdownTimeoutMs = 30_000

/** Beyond the time to drain, what closing the host may take. */
const closingMs = 1000

/**
 * Runs programs as services until a signal ends them: SIGTERM and SIGINT drain, a second one kills, SIGHUP starts anew what
 * has changed. An orderly end is status 0.
 */
export const serve = async ({ errors, flags, operands, output }: Invocation): Promise<number> => {
  const shutdownTimeoutMs = flags["shutdown-timeout"] ?? defaultShutdownTimeoutMs
  const { address, hosts, tokenFile } = serviceAddress(flags)
  const log = (line: string) => output.problem(line)
  const programs: Array<{ readonly file: string; readonly source: string }> = []
  for (const operand of operands) programs.push(await readProgram(operand))
  if (programs.length === 1) errors.source = programs[0]!.source
  const signals = listenForSignals({ shutdownTimeoutMs, lastWords: () => {} })
  // Until there is something to reload, the signal must not end the process either.
  let onHangUp = () => {}
  const hangUp = () => onHangUp()
  process.on("SIGHUP", hangUp)
  const host = await startHost(flags, output)
  const stopHost = () => within(shutdownTimeoutMs + closingMs, host.stop({ timeout: shutdownTimeoutMs }), () => {})
  try {
    const restart = flags.restart ?? "permanent"
    const starting = startService({ host, programs, restart, address, hosts, tokenFile, shutdownTimeoutMs, log })
    const service = await Promise.race([starting, signals.first.then(() => undefined)])
    if (service === undefined) {
      starting.catch(() => {})
      return exitStatus.done
    }
    await log(`Listening on ${service.url}; the token is in ${tokenFile}.`)
    onHangUp = () => {
      const reloading = service.reload(async (file) => (await readProgram(file)).source)
      void reloading.then(({ refused, started, unchanged }) =>
        log(`Reloaded: ${counted(started, "started anew")}, ${counted(unchanged, "unchanged")}, ${counted(refused, "refused")}.`)
      )
    }
    const signal = await signals.first
    await log(`${signal}: draining.`)
    await within(shutdownTimeoutMs + closingMs, service.stop(), () => {})
    return exitStatus.done
  } finally {
    process.off("SIGHUP", hangUp)
    await stopHost()
    signals.release()
  }
}

const counted = (names: ReadonlyArray<string>, what: string): string =>
  names.length === 0 ? `none ${what}` : `${names.join(", ")} ${what}`
