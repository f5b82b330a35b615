import type { SpawnOptions, StreamHost } from "../host/index.ts"
import { HttpServer } from "./HttpServer.ts"
import { feedWatchdog, notifySystemd, whileReloading } from "./notifySystemd.ts"
import { answerOperator } from "./routes.ts"
import { type ProgramText, type Reloaded, ServicePrograms } from "./ServicePrograms.ts"
import { serviceStatus, type ServiceStatus } from "./ServiceStatus.ts"
import { openTokens } from "./Token.ts"

export interface ServiceOptions {
  readonly host: StreamHost
  readonly programs: ReadonlyArray<ProgramText>
  readonly restart: NonNullable<SpawnOptions["restart"]>
  readonly address: { readonly host: string; readonly port: number }
  /** Names by which clients may address it beside those of the loopback. */
  readonly hosts: ReadonlyArray<string>
  readonly tokenFile: string
  readonly shutdownTimeoutMs: number
  readonly log: (line: string) => unknown
}

/** Programs that run as services, and the HTTP server by which they are watched and steered. */
export interface StreamService {
  readonly url: string
  readonly reload: (read: (file: string) => Promise<string>) => Promise<Reloaded>
  /** Ends the programs as `StreamHost.stop` does; the server answers until they are down. */
  readonly stop: () => Promise<void>
}

/**
 * Listens, starts the programs, and tells systemd when all of them have begun.
 *
 * **Fails** with what keeps it from listening or the first program from starting; everything is released then.
 */
export const startService = async (options: ServiceOptions): Promise<StreamService> => {
  const { address, host, hosts, log, restart, shutdownTimeoutMs } = options
  const tokens = await openTokens(options.tokenFile)
  const programs = new ServicePrograms({ host, restart, log, drainMs: shutdownTimeoutMs })
  let state: ServiceStatus["state"] = "starting"
  const status = () => serviceStatus({ host, programs, state })
  const server: HttpServer = await HttpServer.listen({
    ...address,
    tokens,
    hosts: [...hosts, ...(isWildcard(address.host) ? [] : [address.host])],
    log,
    isOpen: (path) => path === "/health",
    answer: (request, response, url) =>
      answerOperator({ host, status, counts: () => server.counts, drainMs: shutdownTimeoutMs }, request, response, url)
  })
  try {
    await programs.start(options.programs)
  } catch (error) {
    await server.close()
    throw error
  }
  state = "running"
  await notifySystemd(log, "READY=1")
  const stopFeeding = feedWatchdog(log)
  let reloading: Promise<unknown> = Promise.resolve()
  return {
    url: server.url,
    reload: (read) => {
      // One after the other: a second change of a file comes after the first has begun.
      const reloaded = reloading.then(() =>
        state === "running" ? whileReloading(log, () => programs.reload(read)) : { started: [], unchanged: [], refused: [] }
      )
      reloading = reloaded.catch(() => {})
      return reloaded
    },
    stop: async () => {
      state = "stopping"
      await notifySystemd(log, "STOPPING=1")
      try {
        await host.stop({ timeout: shutdownTimeoutMs })
      } finally {
        stopFeeding()
        await server.close()
      }
    }
  }
}

const isWildcard = (host: string): boolean => host === "0.0.0.0" || host === "::"
