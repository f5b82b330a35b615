import { defaultTokenFile } from "../service/index.ts"
import type { FlagValues } from "./Flag.ts"

/** Where the service is when nobody says. */
const defaultHost = "127.0.0.1"
const defaultPort = 7717

/** Where the flags say that the service is. */
export const serviceAddress = (flags: FlagValues) => ({
  address: { host: flags.host ?? defaultHost, port: flags.port ?? defaultPort },
  hosts: flags["allow-host"] ?? [],
  tokenFile: flags["token-file"] ?? defaultTokenFile()
})
