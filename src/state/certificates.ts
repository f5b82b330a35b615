import { readFileSync } from "node:fs"

/** The parameter of a server's URL that says whom its certificate has to be signed by. */
const parameter = "ca"

/**
 * Takes `?ca=` out of the URL of a server: a file of certificates (PEM), or `system` for the authorities that Node trusts. With
 * either, the connection is encrypted, and certificate and host name are verified.
 *
 * @returns `undefined` where it is not there: TLS is as the scheme and the driver's own parameters have it
 */
export const takeAuthority = (url: URL): string | undefined => {
  const found = url.searchParams.get(parameter) ?? undefined
  if (found === undefined) return undefined
  // What a driver of PostgreSQL or MySQL would let overrule it.
  for (const name of [parameter, "sslmode", "sslrootcert", "ssl"]) url.searchParams.delete(name)
  return found
}

/**
 * What `node:tls` is to be told, read anew for each connection: files of certificates are replaced while programs run.
 *
 * **Fails** by throwing where the file can't be read, or has no certificate.
 */
export const trustOf = (authority: string | undefined): { readonly ca?: string } | undefined => {
  if (authority === undefined) return undefined
  if (authority === "system") return {}
  try {
    const ca = readFileSync(authority, "utf8")
    if (ca.includes("-----BEGIN CERTIFICATE-----")) return { ca }
  } catch (cause) {
    throw Object.assign(new Error((cause as Error).message, { cause }), { code: unreadable })
  }
  throw Object.assign(new Error(`no certificate in ${authority}`), { code: unreadable })
}

const unreadable = "CA_UNREADABLE"

/** @returns what a driver's error says about certificates, and what to do about that; `undefined` where it says nothing */
export const certificateProblem = (error: unknown): { readonly problem: string; readonly fix: string } | undefined => {
  const { code = "", message = "" } = (error ?? {}) as { readonly code?: unknown; readonly message?: string }
  const problem = "has a certificate that can't be trusted"
  if (code === unreadable)
    return { problem: "needs certificates that can't be read", fix: "Let ?ca= of its URL name a file of certificates (PEM), or system." }
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID" || /does not match certificate's altnames|is not in the cert's/.test(message))
    return { problem, fix: "Write the host into the URL as the certificate has it." }
  if (code === "CERT_HAS_EXPIRED" || /certificate has expired/.test(message)) return { problem, fix: "Renew the server's certificate." }
  if (/CERT|LEAF_SIGNATURE/.test(String(code)) || /self[- ]signed certificate|unable to (verify|get).* certificate/.test(message))
    return { problem, fix: "Name the authority that signed it in the URL (?ca=FILE), or have Node trust it (NODE_EXTRA_CA_CERTS)." }
  return undefined
}
