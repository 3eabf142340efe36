"""Rank tables written by hand, and strategies that draw sound ones of every template."""

import copy

from hypothesis import strategies as st

TWO_SERVERS = {
    "version": "1.0",
    "server_count": "2",
    "server_list": [
        {
            "server_id": "10.0.0.1",
            "device": [
                {"device_id": "0", "device_ip": "192.98.1.8", "rank_id": "0"},
                {"device_id": "1", "device_ip": "192.98.1.9", "rank_id": "1"},
            ],
            "host_nic_ip": "reserve",
        },
        {
            "server_id": "10.0.0.2",
            "device": [
                {"device_id": "4", "device_ip": "192.98.2.8", "rank_id": "2"},
                {"device_id": "5", "device_ip": "192.98.2.9", "rank_id": "3"},
            ],
            "host_nic_ip": "reserve",
        },
    ],
    "status": "completed",
}

SUPER_PODS = {
    "version": "1.2",
    "server_count": "2",
    "server_list": [
        {
            "server_id": "node_0",
            "host_ip": "172.16.0.100",
            "device": [
                {
                    "device_id": "0",
                    "device_ip": "192.168.1.6",
                    "super_device_id": "37748736",
                    "device_port": "16666",
                    "rank_id": "0",
                }
            ],
        },
        {
            "server_id": "node_1",
            "host_ip": "172.16.0.101",
            "device": [{"device_id": "0", "super_device_id": "37748736", "rank_id": "1"}],
        },
    ],
    "super_pod_list": [
        {"super_pod_id": "0", "server_list": [{"server_id": "node_0"}]},
        {"super_pod_id": "1", "server_list": [{"server_id": "node_1"}]},
    ],
    "status": "completed",
}

MODELARTS = {
    "group_count": "1",
    "group_list": [
        {
            "device_count": "3",
            "group_name": "job-trainjob",
            "instance_count": "2",
            "instance_list": [
                {
                    "devices": [
                        {"device_id": "4", "device_ip": "192.1.10.254"},
                        {"device_id": "5", "device_ip": "192.1.10.253"},
                    ],
                    "pod_name": "job-0",
                    "server_id": "192.168.0.25",
                },
                {
                    "devices": [{"device_id": "4", "device_ip": "192.1.11.254"}],
                    "pod_name": "job-1",
                    "server_id": "192.168.0.26",
                },
            ],
        }
    ],
    "status": "completed",
}


def example(document):
    return copy.deepcopy(document)


def leaves(document, path=""):
    """Yields (path, container, key) of every string."""
    items = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in items:
        where = f"[{key}]" if isinstance(document, list) else f".{key}" if path else key
        if isinstance(value, dict | list):
            yield from leaves(value, path + where)
        else:
            yield path + where, document, key


@st.composite
def tables(draw, templates=("1.0", "1.2", "group_list")):
    """Draws a sound document: 1 to 3 servers, 1 to 4 devices on each, consecutive ranks on each server."""
    template = draw(st.sampled_from(templates))
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    order = draw(st.permutations(range(len(sizes))))
    is_ipv6 = draw(st.booleans())
    first_rank = {index: sum(sizes[other] for other in order[:place]) for place, index in enumerate(order)}
    servers = []
    for index, size in enumerate(sizes):
        numbers = draw(st.lists(st.integers(0, 15), min_size=size, max_size=size, unique=True))
        ranks = draw(st.permutations(range(first_rank[index], first_rank[index] + size)))
        devices = [
            {
                "device_id": str(number),
                "device_ip": f"fd00::{index}:{place}" if is_ipv6 else f"192.{index}.{place}.1",
                "rank_id": str(rank),
                "super_device_id": str(1000 * index + place),
            }
            for place, (number, rank) in enumerate(zip(numbers, ranks, strict=True))
        ]
        servers.append({"server_id": f"10.0.0.{draw(st.integers(0, 80)) * 3 + index}", "device": devices})
        if draw(st.booleans()):
            servers[-1]["host_nic_ip"] = "reserve"
        if draw(st.booleans()):
            servers[-1]["pod_ip"] = f"172.16.0.{index + 1}"
    return _as_groups(servers) if template == "group_list" else _as_servers(template, servers, draw)


def _as_servers(template, servers, draw):
    document = {"version": template, "server_count": str(len(servers)), "server_list": servers, "status": "completed"}
    if template == "1.2":
        pod_of = [draw(st.sampled_from("ab")) for _ in servers]
        document["super_pod_list"] = [
            {
                "super_pod_id": pod,
                "server_list": [
                    {"server_id": server["server_id"]} for server, of in zip(servers, pod_of, strict=True) if of == pod
                ],
            }
            for pod in sorted(set(pod_of))
        ]
        return document
    for device in (device for server in servers for device in server["device"]):
        del device["super_device_id"]
    return document


def _as_groups(servers):
    instances = [
        {
            "server_id": server["server_id"],
            "pod_name": f"pod-{index}",
            "devices": [{key: device[key] for key in ("device_id", "device_ip")} for device in server["device"]],
        }
        for index, server in enumerate(servers)
    ]
    cut = (len(instances) + 1) // 2
    groups = [
        {
            "group_name": f"group-{index}",
            "instance_count": str(len(part)),
            "instance_list": part,
            "device_count": str(sum(len(instance["devices"]) for instance in part)),
        }
        for index, part in enumerate((instances[:cut], instances[cut:]))
        if part
    ]
    return {"group_count": str(len(groups)), "group_list": groups, "status": "completed"}
