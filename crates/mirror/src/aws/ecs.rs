//! ECS: the interfaces and instances that the tasks of a service run on.
use super::{Paged, Protocol, Service, actions};
use serde::{Deserialize, Serialize};

const ECS: Service = Service { name: "ecs", protocol: Protocol::Json("AmazonEC2ContainerServiceV20141113") };
/// Most tasks that can be described in one request.
pub const BATCH: usize = 100;

/// Names the tasks of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the members of AWS's model, which its documentation describes")]
pub struct ListTasks {
    pub cluster: String,
    pub service_name: String,
    pub next_token: Option<String>,
}

/// The names.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TaskNames {
    /// ARNs of tasks.
    pub task_arns: Vec<String>,
    /// Behind them.
    pub next_token: Option<String>,
}

impl Paged for ListTasks {
    type Item = String;
    fn behind(&mut self, token: String) {
        self.next_token = Some(token);
    }
    fn page(answer: TaskNames) -> (Vec<String>, Option<String>) {
        (answer.task_arns, answer.next_token)
    }
}

/// Describes tasks, [`BATCH`] at most.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the members of AWS's model, which its documentation describes")]
pub struct DescribeTasks {
    pub cluster: String,
    pub tasks: Vec<String>,
}

/// A name and a value.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Detail {
    /// Such as `networkInterfaceId`.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// What a task is attached to.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct TaskAttachment {
    /// `ElasticNetworkInterface`, ...
    #[serde(rename = "type")]
    pub kind: String,
    /// Which.
    pub details: Vec<Detail>,
}

/// A task.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Task {
    /// Its own interfaces (`awsvpc`).
    pub attachments: Vec<TaskAttachment>,
    /// The instance that it runs on, as ECS names it; none on Fargate.
    pub container_instance_arn: Option<String>,
    /// `EC2`, `FARGATE` or `EXTERNAL`.
    pub launch_type: String,
}

/// Tasks.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Tasks {
    /// They.
    pub tasks: Vec<Task>,
}

/// Describes the instances of a cluster, [`BATCH`] at most.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the members of AWS's model, which its documentation describes")]
pub struct DescribeContainerInstances {
    pub cluster: String,
    pub container_instances: Vec<String>,
}

/// An instance of a cluster.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ContainerInstance {
    /// `i-...`.
    pub ec2_instance_id: String,
}

/// Instances of a cluster.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ContainerInstances {
    /// They.
    pub container_instances: Vec<ContainerInstance>,
}

actions!(ECS;
    ListTasks => TaskNames,
    DescribeTasks => Tasks,
    DescribeContainerInstances => ContainerInstances,
);
