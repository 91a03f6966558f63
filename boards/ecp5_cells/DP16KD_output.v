// The latch behind a port of DP16KD, which a read fills, and the register that may follow it.
module DP16KD_output (
    input clock, reset, enable, output_enable, GSRN,
    input [35:0] value, output [35:0] shown
);
    parameter REGMODE = "NOREG";
    parameter RESETMODE = "SYNC";
    parameter RELEASE = "SYNC";

    reg [35:0] latch, register;
    initial {latch, register} = 72'b0;
    generate
        if (RESETMODE == "ASYNC") begin : at_once
            // RELEASE "SYNC": the reset goes on until a clock finds it gone.
            reg lasting;
            initial lasting = 1'b0;
            always @(posedge clock or posedge reset)
                if (reset) lasting <= 1'b1;
                else lasting <= 1'b0;
            wire resetn = GSRN && !reset && !(RELEASE == "SYNC" && lasting);
            always @(posedge clock or negedge resetn)
                if (!resetn) begin
                    latch <= 36'b0;
                    register <= 36'b0;
                end else begin
                    if (enable) latch <= value;
                    if (output_enable) register <= latch;
                end
        end else begin : at_the_clock
            // Whether or not the port is enabled.
            always @(posedge clock or negedge GSRN)
                if (!GSRN) begin
                    latch <= 36'b0;
                    register <= 36'b0;
                end else if (reset) begin
                    latch <= 36'b0;
                    register <= 36'b0;
                end else begin
                    if (enable) latch <= value;
                    if (output_enable) register <= latch;
                end
        end
    endgenerate
    assign shown = REGMODE == "OUTREG" ? register : latch;
endmodule
