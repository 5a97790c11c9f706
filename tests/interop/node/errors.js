// What a program can read from calls that end badly.

import { CampaignService } from "#contract/pidgr/v1/campaign_pb.js";
import { Health, HealthCheckResponse_ServingStatus } from "#contract/grpc/health/v1/health_pb.js";
import { TeamService } from "#contract/pidgr/v1/team_pb.js";
import { clients, failure } from "./client.js";

export async function errors({ server, adminKey, missingId }) {
  const services = [CampaignService, TeamService, Health];
  const [campaigns, teams, health] = clients(services, server, adminKey);
  const [strangers] = clients([CampaignService], server, undefined);
  const [impostors] = clients([CampaignService], server, "pidgr_k_made-up-and-long-enough-to-be-one");
  await teams.createTeam({ name: "Ærø 日本" });
  return {
    malformed: await failure(campaigns.getCampaign({ campaignId: "42" })),
    missing: await failure(campaigns.getCampaign({ campaignId: missingId })),
    duplicate: await failure(teams.createTeam({ name: "Ærø 日本" })),
    anonymous: await failure(strangers.listCampaigns({})),
    impostor: await failure(impostors.listCampaigns({})),
    deadline: await watchForever(health),
  };
}

/** Open a stream that never ends by itself, with a deadline. */
async function watchForever(health) {
  const statuses = [];
  const error = await failure(
    (async () => {
      for await (const { status } of health.watch({}, { timeoutMs: 300 })) {
        statuses.push(HealthCheckResponse_ServingStatus[status]);
      }
    })(),
  );
  return { ...error, statuses };
}

/** Call until the rate limit refuses. */
export async function rateLimit({ server, adminKey }) {
  const [campaigns] = clients([CampaignService], server, adminKey);
  for (let answered = 0; answered < 100; answered += 1) {
    try {
      await campaigns.listCampaigns({});
    } catch (thrown) {
      return { answered, ...(await failure(Promise.reject(thrown))) };
    }
  }
  throw new Error("the rate limit never refused");
}
