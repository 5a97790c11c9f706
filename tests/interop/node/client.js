// Transports, clients and outcomes, the same for every scenario.

import { Code, ConnectError, createClient } from "@connectrpc/connect";
import {
  compressionGzip,
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "#contract/google/rpc/error_details_pb.js";

const CREATE = {
  connect: createConnectTransport,
  grpc: createGrpcTransport,
  "grpc-web": createGrpcWebTransport,
};

/** Build a transport; `encodings` collects how each answer was compressed. */
function transport({ url, protocol, httpVersion, binary, get, gzip }, token, encodings = new Set()) {
  const authorize = (next) => async (request) => {
    if (token) {
      request.header.set("authorization", `Bearer ${token}`);
    }
    const response = await next(request);
    const { header } = response;
    encodings.add(header.get("grpc-encoding") ?? header.get("content-encoding") ?? "identity");
    return response;
  };
  return CREATE[protocol]({
    baseUrl: url,
    httpVersion,
    useBinaryFormat: binary,
    useHttpGet: get,
    acceptCompression: gzip ? [compressionGzip] : [],
    sendCompression: gzip ? compressionGzip : undefined,
    compressMinBytes: 0,
    interceptors: [authorize],
  });
}

/** Build one client per service over one transport. */
export function clients(services, ...transportArguments) {
  const shared = transport(...transportArguments);
  return services.map((service) => createClient(service, shared));
}

/** Wait for the error a call must end with, and tell all that a program can read from it. */
export async function failure(call) {
  try {
    await call;
  } catch (thrown) {
    const error = ConnectError.from(thrown);
    return {
      code: Code[error.code],
      message: error.rawMessage,
      retryAfter: error.metadata.get("retry-after"),
      requestId: error.metadata.get("x-request-id"),
      violations: error.findDetails(BadRequestSchema).flatMap((d) => d.fieldViolations.map((v) => v.field)),
      reasons: error.findDetails(ErrorInfoSchema).map((d) => `${d.domain}/${d.reason}`),
      retryDelays: error.findDetails(RetryInfoSchema).map((d) => Number(d.retryDelay.seconds) + d.retryDelay.nanos / 1e9),
    };
  }
  throw new Error("the call succeeded");
}
