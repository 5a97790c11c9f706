// The page under test: another origin's script that calls the API as the documentation shows.

import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import { RetryInfoSchema } from "#contract/google/rpc/error_details_pb.js";
import { CampaignService } from "#contract/pidgr/v1/campaign_pb.js";

function client({ url, apiKey, protocol, get }) {
  const create = protocol === "connect" ? createConnectTransport : createGrpcWebTransport;
  const transport = create({
    baseUrl: url,
    useHttpGet: get,
    interceptors: [
      (next) => (request) => {
        request.header.set("Authorization", `Bearer ${apiKey}`);
        return next(request);
      },
    ],
  });
  return createClient(CampaignService, transport);
}

globalThis.listCampaigns = async (options) => {
  const response = await client(options).listCampaigns({ pagination: { pageSize: 10 } });
  return {
    names: response.campaigns.map((campaign) => campaign.name),
    total: response.paginationMeta.totalCount,
  };
};

globalThis.failingCall = async (options) => {
  const campaigns = client(options);
  for (let calls = 0; calls < 100; calls += 1) {
    try {
      await campaigns.listCampaigns({ pagination: { pageSize: 10 } });
    } catch (thrown) {
      const error = ConnectError.from(thrown);
      return {
        code: Code[error.code],
        retryAfter: error.metadata.get("retry-after"),
        requestId: error.metadata.get("x-request-id"),
        retryDelays: error.findDetails(RetryInfoSchema).length,
      };
    }
  }
  throw new Error("no call failed");
};
