//! The least that has to be allowed: policies of IAM.
use serde_json::{Value, json};

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// `discover`, `plan`, `status`, `export`, `names`.
    Plan,
    /// `apply`.
    Apply,
    /// `apply --open-security-group`.
    OpenSecurityGroup,
    /// `verify`.
    Verify,
    /// `destroy`.
    Destroy,
}

const READ: &[&str] = &[
    "ec2:DescribeInstances",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeRouteTables",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeTrafficMirrorFilterRules",
    "ec2:DescribeTrafficMirrorFilters",
    "ec2:DescribeTrafficMirrorSessions",
    "ec2:DescribeTrafficMirrorTargets",
    "ec2:DescribeVpcEndpoints",
    "ecs:DescribeContainerInstances",
    "ecs:DescribeTasks",
    "ecs:ListTasks",
    "elasticloadbalancing:DescribeListeners",
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeTargetGroups",
    "elasticloadbalancing:DescribeTargetHealth",
];

const MADE: [&str; 4] = [
    "traffic-mirror-target",
    "traffic-mirror-filter",
    "traffic-mirror-filter-rule",
    "traffic-mirror-session",
];

/// A policy for those rights, in that partition (`aws`, `aws-cn`, `aws-us-gov`).
pub fn policy(rights: &[Right], partition: &str, stack: &str) -> Value {
    let has = |right: Right| rights.contains(&right);
    let arn = |kind: &str| format!("arn:{partition}:ec2:*:*:{kind}/*");
    let made: Vec<_> = MADE.iter().map(|kind| arn(kind)).collect();
    let mut ends: Vec<_> = MADE.iter().take(3).map(|kind| arn(kind)).collect();
    ends.extend([arn("network-interface"), arn("vpc-endpoint")]);
    let ours = json!({"StringEquals": {"aws:ResourceTag/managed-by": "harken", "aws:ResourceTag/harken:stack": stack}});
    let mut statements = Vec::new();
    // Every command looks at what there is first. These calls know no narrower resource.
    statements.push(json!({"Sid": "HarkenRead", "Effect": "Allow", "Action": READ, "Resource": "*"}));
    if has(Right::Apply) {
        statements.push(json!({
            "Sid": "HarkenCreate",
            "Effect": "Allow",
            "Action": ["ec2:CreateTrafficMirrorTarget", "ec2:CreateTrafficMirrorFilter", "ec2:CreateTrafficMirrorFilterRule"],
            "Resource": ends,
        }));
        // A session needs the right to all that it joins.
        statements.push(json!({
            "Sid": "HarkenCreateSession",
            "Effect": "Allow",
            "Action": "ec2:CreateTrafficMirrorSession",
            "Resource": [arn(MADE[3]), arn(MADE[0]), arn(MADE[1]), arn("network-interface")],
        }));
        statements.push(json!({
            "Sid": "HarkenTag",
            "Effect": "Allow",
            "Action": "ec2:CreateTags",
            "Resource": made,
            "Condition": {"StringEquals": {"ec2:CreateAction": [
                "CreateTrafficMirrorTarget", "CreateTrafficMirrorFilter", "CreateTrafficMirrorFilterRule",
                "CreateTrafficMirrorSession"
            ]}},
        }));
        statements.push(json!({
            "Sid": "HarkenModify",
            "Effect": "Allow",
            "Action": [
                "ec2:ModifyTrafficMirrorFilterNetworkServices", "ec2:ModifyTrafficMirrorFilterRule",
                "ec2:ModifyTrafficMirrorSession"
            ],
            "Resource": [arn(MADE[1]), arn(MADE[2]), arn(MADE[3])],
            "Condition": ours,
        }));
        // The target that a session is led to may be one that was there before.
        statements.push(json!({
            "Sid": "HarkenModifyTarget",
            "Effect": "Allow",
            "Action": "ec2:ModifyTrafficMirrorSession",
            "Resource": arn(MADE[0]),
        }));
    }
    if has(Right::OpenSecurityGroup) {
        let rules = [arn("security-group"), arn("security-group-rule")];
        statements.push(json!({
            "Sid": "HarkenOpenSecurityGroup",
            "Effect": "Allow",
            "Action": "ec2:AuthorizeSecurityGroupIngress",
            "Resource": rules,
        }));
        statements.push(json!({
            "Sid": "HarkenTagRule",
            "Effect": "Allow",
            "Action": "ec2:CreateTags",
            "Resource": arn("security-group-rule"),
            "Condition": {"StringEquals": {"ec2:CreateAction": "AuthorizeSecurityGroupIngress"}},
        }));
    }
    if has(Right::Verify) {
        statements.push(json!({
            "Sid": "HarkenVerify",
            "Effect": "Allow",
            "Action": "cloudwatch:GetMetricStatistics",
            "Resource": "*",
        }));
    }
    // Apply takes away what is not wanted any more.
    if has(Right::Apply) || has(Right::Destroy) {
        statements.push(json!({
            "Sid": "HarkenDelete",
            "Effect": "Allow",
            "Action": [
                "ec2:DeleteTrafficMirrorFilter", "ec2:DeleteTrafficMirrorFilterRule", "ec2:DeleteTrafficMirrorSession",
                "ec2:DeleteTrafficMirrorTarget"
            ],
            "Resource": made,
            "Condition": ours,
        }));
    }
    if has(Right::Destroy) {
        statements.push(json!({
            "Sid": "HarkenReadRules",
            "Effect": "Allow",
            "Action": "ec2:DescribeSecurityGroupRules",
            "Resource": "*",
        }));
        statements.push(json!({
            "Sid": "HarkenCloseSecurityGroup",
            "Effect": "Allow",
            "Action": "ec2:RevokeSecurityGroupIngress",
            "Resource": [arn("security-group"), arn("security-group-rule")],
        }));
    }
    json!({"Version": "2012-10-17", "Statement": statements})
}
