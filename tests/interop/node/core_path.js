// One campaign from the template to the acknowledgement.

import { createHash, randomUUID } from "node:crypto";
import { subscribe } from "node:diagnostics_channel";
import { setTimeout as pause } from "node:timers/promises";
import { ActionService } from "#contract/pidgr/v1/action_pb.js";
import { CampaignService } from "#contract/pidgr/v1/campaign_pb.js";
import { ActionType, CampaignStatus, DeliveryStatus, Platform, StepType } from "#contract/pidgr/v1/common_pb.js";
import { DeviceService } from "#contract/pidgr/v1/device_pb.js";
import { InboxService } from "#contract/pidgr/v1/inbox_pb.js";
import { TeamService } from "#contract/pidgr/v1/team_pb.js";
import { TemplateService } from "#contract/pidgr/v1/template_pb.js";
import { clients } from "./client.js";

const BODY = "Please **read** it. ".repeat(200);
const WORKFLOW = {
  steps: [
    {
      id: "send",
      type: StepType.SEND_NOTIFICATION,
      config: {
        case: "sendNotification",
        value: { type: "push", actionType: ActionType.ACK, actionLabel: "Got it" },
      },
      transitions: { completed: "wait" },
    },
    {
      id: "wait",
      type: StepType.DEADLINE_CHECK,
      config: { case: "deadlineCheck", value: { delay: "1h" } },
      transitions: { completed: "missed" },
    },
    { id: "missed", type: StepType.MARK_MISSED },
  ],
};

export async function corePath({ server, adminKey, person, personToken }) {
  const encodings = new Set();
  const httpMethods = watchHttpMethods();
  const [teams, templates, campaigns] = clients(
    [TeamService, TemplateService, CampaignService],
    server,
    adminKey,
    encodings,
  );
  const [devices, inbox, actions] = clients(
    [DeviceService, InboxService, ActionService],
    server,
    personToken,
    encodings,
  );

  await devices.register({ deviceId: randomUUID(), platform: Platform.IOS, pushToken: "token" });
  const { team } = await teams.createTeam({ name: "People team" });
  const { template } = await templates.createTemplate({ name: "Policy", title: "New policy", body: BODY });
  const { campaign: created } = await campaigns.createCampaign({
    name: "Policy 2026",
    templateId: template.id,
    userIds: [person],
    senderName: team.name,
    workflow: WORKFLOW,
  });
  const { campaign: started } = await campaigns.startCampaign({ campaignId: created.id });
  const waiting = await until(campaigns, created.id, (c) => c.workflowProgress?.currentStepId === "wait");
  const { deliveries, paginationMeta } = await campaigns.listDeliveries({ campaignId: created.id });
  const { entries } = await inbox.sync({});
  const entry = entries.find((candidate) => candidate.deliveryId === deliveries[0].id);
  await inbox.markRead({ deliveryId: entry.deliveryId });
  const submitted = await actions.submitAction({
    deliveryId: entry.deliveryId,
    actionId: entry.message.actions[0].id,
  });
  const done = await until(campaigns, created.id, (c) => c.status === CampaignStatus.COMPLETED);
  const listed = await campaigns.listDeliveries({ campaignId: created.id });
  return {
    statuses: [created, started, waiting].map((campaign) => CampaignStatus[campaign.status]),
    recipients: [created.audienceSnapshotSize, waiting.totalRecipients, paginationMeta.totalCount],
    delivered: DeliveryStatus[deliveries[0].status],
    bodyIntact: digest(entry.message.body) === digest(BODY),
    sender: entry.message.senderName,
    label: entry.message.actions[0].label,
    submitted: submitted.success,
    completed: done.actionCompletedCount,
    final: listed.deliveries.map((delivery) => DeliveryStatus[delivery.status]),
    httpMethods: [...httpMethods].sort(),
    encodings: [...encodings].sort(),
  };
}

async function until(campaigns, campaignId, condition) {
  const end = Date.now() + 20_000;
  while (Date.now() < end) {
    const { campaign } = await campaigns.getCampaign({ campaignId });
    if (condition(campaign)) {
      return campaign;
    }
    await pause(10);
  }
  throw new Error("the campaign did not come that far");
}

/** Collect the methods of all HTTP requests of this process; interceptors see POST always. */
function watchHttpMethods() {
  const methods = new Set();
  subscribe("http.client.request.start", ({ request }) => methods.add(request.method));
  subscribe("http2.client.stream.start", ({ headers }) => methods.add(headers[":method"]));
  return methods;
}

function digest(text) {
  return createHash("sha256").update(text).digest("hex");
}
