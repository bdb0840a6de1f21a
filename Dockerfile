# CPU image; for GPUs start from a CUDA image of PyTorch 2.13 and leave the torch line out.
FROM python:3.11-slim
WORKDIR /opt/vpd_mm
COPY . .
RUN pip install --no-cache-dir "$(grep '^torch==' requirements/runtime.txt)" \
 && pip install --no-cache-dir -r requirements/runtime.txt \
 && pip install --no-cache-dir --no-deps -r requirements/openmmlab.txt \
 && pip install --no-cache-dir --no-deps .
WORKDIR /workspace
ENTRYPOINT ["vpd-mm"]
CMD ["check_env"]
