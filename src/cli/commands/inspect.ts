import { ServiceClient, ServiceFailure, type ServiceStatus } from "../../service/index.ts"
import type { Invocation } from "../Command.ts"
import { exitStatus } from "../exitStatus.ts"
import { serviceAddress } from "../serviceAddress.ts"
import { serviceSummary, serviceTree } from "../serviceTree.ts"

/** Prints what a service does, or one service or stream of it. */
export const inspect = async ({ flags, operand, output }: Invocation): Promise<number> => {
  const client = await ServiceClient.open(serviceAddress(flags))
  const all = await client.status()
  const status = operand === undefined ? all : only(all, operand)
  if (flags.json === true) await output.line(JSON.stringify(status))
  else {
    if (operand === undefined) await output.line(serviceSummary(status))
    for (const line of serviceTree(status)) await output.line(line)
  }
  return exitStatus.done
}

/** **Fails** by throwing `ServiceFailure` where there is neither such a service nor such a stream. */
const only = (status: ServiceStatus, id: string): ServiceStatus => {
  const services = status.services.filter(({ name }) => name === id)
  const streams = status.streams.filter((stream) => stream.id === id || services.some(({ streams }) => streams.includes(stream.id)))
  if (services.length === 0 && streams.length === 0) {
    const known = [...status.services.map(({ name }) => name), ...status.streams.map((stream) => stream.id)].slice(0, 20)
    throw new ServiceFailure({
      what: `There is no service and no stream ${JSON.stringify(id)}`,
      fix: `There are ${[...new Set(known)].join(", ") || "none"}.`
    })
  }
  return { ...status, services, streams, omitted: 0 }
}
